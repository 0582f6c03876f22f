export { associatedCluster } from './association.ts';
export {
  checkAttributeName,
  checkAttributeValue,
  customAttributesPerInstance,
  deleteAttributes,
  isCustomAttribute,
  putAttributes,
} from './attributes.ts';
export {
  fargateProviders,
  fargateView,
  findProvider,
  groupProviderView,
  isFargate,
  parseProvider,
  parseProviders,
  providerNotFound,
} from './capacity-providers.ts';
export { clusterView } from './cluster-view.ts';
export { activeCluster, changeCluster, createCluster, deleteCluster, findCluster, setProviders } from './clusters.ts';
export { ofProviders, ofStrategy } from './conditions.ts';
export { deleteProvider } from './delete-provider.ts';
export type { ClusterRef, EcsPorts } from './ports.ts';
export {
  clientError,
  clusterNotFound,
  invalidParameter,
  notSupported,
  serviceNotActive,
  serviceNotFound,
} from './errors.ts';
export {
  defaultCluster,
  type Home,
  isName,
  parseArn,
  type ParsedArn,
  parseCluster,
  parseMember,
} from './identifiers.ts';
export { instanceView } from './instance-view.ts';
export {
  changeInstance,
  deregisterInstance,
  findInstance,
  listInstances,
  machineEnded,
  tasksByInstance,
} from './instances.ts';
export { changeProvider, createProvider, listProviders, requireOneCluster } from './provider-records.ts';
export { parseCreateProvider, parseUpdateProvider, type ProviderSettings } from './provider-request.ts';
export { type Refusals, refuseMembers } from './refuse.ts';
export { scan, scanAll } from './scan.ts';
export { groupOf, launchTypeOf, parseStrategy, strategyOf, strategyView, usable } from './strategies.ts';
export { ecsTags } from './tags.ts';
