export { type Attachment, attachmentsOf, prefixOf } from './attachment.ts';
export { engineNetworks } from './engine-networks.ts';
export { hostNameServers } from './name-servers.ts';
export { machineAddress } from './machine-address.ts';
export { ensurePauseImage } from './pause-image.ts';
export { noNetwork, type TaskNetworkPort } from './port.ts';
export { NetworkError, run } from './run.ts';
export { TaskNetwork, type TaskNetworkOptions } from './task-network.ts';
