export type { LiveTask } from './metadata.ts';
export { holderText } from './port-holder.ts';
export { RoleKeys, type RoleType } from './role-keys.ts';
export { endpointPort, TaskEndpoint } from './task-endpoint.ts';
