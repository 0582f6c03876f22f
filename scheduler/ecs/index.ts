export { accessByArn } from './access.ts';
export { createEcs } from './create-ecs.ts';
export type { EcsOperations, EcsOptions } from './options.ts';
