export { agentMessage, telemetryMessage, type TelemetryMessage } from './agent-messages.ts';
export { type MessageOf, parseFrame, sendMessage, telemetryBody } from './frame.ts';
export type { NetworkState } from './network.ts';
export { serverMessage } from './server-messages.ts';
export {
  type AgentContainer,
  type AgentInterface,
  type AgentTask,
  type AgentVolume,
  brokenTask,
  type RoleCredentials,
  type SentTask,
  taskSchema,
} from './task.ts';
