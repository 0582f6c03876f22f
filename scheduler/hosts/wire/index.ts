export {
  copyPath,
  execCost,
  execEnded,
  execLimits,
  execLost,
  execOrder,
  type ExecOrder,
  execPath,
  execReport,
  type ExecReport,
  type ExecStart,
  execStream,
} from './exec.ts';
export { brokenOff, carryFrames } from './carried.ts';
export { agentMessage, telemetryMessage, type TelemetryMessage } from './agent-messages.ts';
export { type MessageOf, parseFrame, sendMessage, telemetryBody } from './frame.ts';
export {
  decodeLogBatch,
  encodeLogBatch,
  type LogAnswer,
  logAnswer,
  type LogBatch,
  type LogEntry,
  LogFrameRefused,
  logLimits,
  type LogMark,
  type LogRefusal,
  logRequest,
  logsPath,
  sizeOf,
} from './logs.ts';
export type { NetworkState } from './network.ts';
export { changeBetween, type NetworkChange, withChange } from './network-change.ts';
export { serverMessage } from './server-messages.ts';
export {
  type AgentContainer,
  type AgentFileSystem,
  type AgentInterface,
  type AgentTask,
  type AgentVolume,
  brokenTask,
  type ContainerLogs,
  type ContainerSecrets,
  needsSecrets,
  type RoleCredentials,
  type SentTask,
  taskSchema,
  withoutSecrets,
} from './task.ts';
