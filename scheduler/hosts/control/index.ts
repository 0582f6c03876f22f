export { type AgentControl, createAgentControl } from './agent-control.ts';
export type { AgentControlOptions, TaskCredentials, TaskCredentialsPort } from './options.ts';
export { type HostNetworks, noHostNetworks } from './host-networks.ts';
export type { NetworkState } from '../wire/index.ts';
export { connectionKeys, connectionRows } from './keys.ts';
export { type AgentOperations, agentOperations, controlPath, telemetryPath } from './operations.ts';
export { type RenderContext, renderStop, renderTask } from './render.ts';
export type { ContainerMetrics, TaskMetrics } from './telemetry-session.ts';
export { applyHealth, applyTaskChange, type ContainerChange, type TaskChange } from './transitions.ts';
