import { fargateShapes } from './fargate.ts';
import { jobShapes } from './jobs.ts';
import { linuxShapes } from './linux.ts';
import type { Shape } from './shape.ts';
import { volumeShapes } from './volumes.ts';
import { webShapes } from './web.ts';

export { refused } from './refused.ts';
export { appImage, type RunningTask, type Shape } from './shape.ts';

/** Every shape, each of a name of its own. */
export const shapes: readonly Shape[] = [...webShapes, ...fargateShapes, ...jobShapes, ...linuxShapes, ...volumeShapes];
