export { createHostAdministration } from './administration.ts';
export { type AgentControl, createAgentControl } from './agent-control.ts';
export {
  type AgentControlOptions,
  type FileSystemNeed,
  type SecretNeed,
  type TaskCredentials,
  type TaskCredentialsPort,
  type TaskSecretsPort,
  TaskSecretsRefused,
  type TaskVolumesPort,
  TaskVolumesRefused,
} from './options.ts';
export type { AgentFileSystem, ContainerSecrets } from '../wire/index.ts';
export { type HostNetworks, noHostNetworks } from './host-networks.ts';
export type { NetworkState } from '../wire/index.ts';
export { connectionKeys, connectionRows } from './keys.ts';
export { type AgentOperations, agentOperations, controlPath, telemetryPath } from './operations.ts';
export { openWebSocket, refuseUpgrade, watchLiveness } from './peer.ts';
export type { LogCounts } from './log-session.ts';
export { type RenderPorts, renderStop, renderTask } from './render.ts';
export { applyHealth, applyTaskChange, type ContainerChange, type TaskChange } from './transitions.ts';
export { secretNeeds } from './secret-needs.ts';
