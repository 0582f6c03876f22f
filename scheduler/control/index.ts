export { listAccounts } from './accounts.ts';
export {
  type ControlPlane,
  type ControlPlaneOptions,
  createControlPlane,
  type WatchedCluster,
} from './control-plane.ts';
export type { ServiceExplanation } from './explain.ts';
export type { ImageInUse } from './images-in-use.ts';
export type { ImageResolver, OwnHost } from './images.ts';
export type { Companion, Led } from './leader.ts';
export type { ControlMeter } from './meter.ts';
export { defaultRetention, type Retention } from './sweep.ts';
export { readDefinition } from './definitions.ts';
export { Lane } from './lane.ts';
export { ServiceRequests } from './requests.ts';
export { waitingRequests } from './waiting-tasks.ts';
