export { accessByArn } from './access.ts';
export { ChangeStreams } from './change-streams.ts';
export { createEcs } from './create-ecs.ts';
export type { EcsOperations, EcsOptions } from './options.ts';
