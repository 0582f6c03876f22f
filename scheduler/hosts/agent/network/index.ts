export { type Attachment, attachmentsOf, prefixOf } from './attachment.ts';
export { hostNameServers } from './name-servers.ts';
export type { Block, NetworkState, Permission, SecurityGroup } from './packet-filter.ts';
export { ensurePauseImage } from './pause-image.ts';
export type { Peer } from './peers.ts';
export { noNetwork, type TaskNetworkPort } from './port.ts';
export { NetworkError } from './run.ts';
export { type DesiredNetwork, TaskNetwork, type TaskNetworkOptions } from './task-network.ts';
