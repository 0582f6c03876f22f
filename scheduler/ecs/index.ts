export { accessByArn } from './access.ts';
export { ChangeStreams, type ChangeStreamPorts } from './change-streams.ts';
export { createEcs } from './create-ecs.ts';
export type { EcsOperations, EcsOptions } from './options.ts';
