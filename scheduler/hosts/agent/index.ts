export { type Agent, type AgentPorts, createAgent, type MakePorts } from './agent.ts';
export { endpointPort, holderText } from './endpoint/index.ts';
export { Refused } from './control-plane-client.ts';
export { noLimits, type TaskLimitsPort } from './limits/index.ts';
export { noNetwork, type TaskNetworkPort } from './network/index.ts';
export type { PullBehavior } from './images.ts';
export type { AgentCredentials, AgentOptions } from './options.ts';
export type { AllowedEscapes } from './policy.ts';
export { UpgradeRefused } from './channel.ts';
