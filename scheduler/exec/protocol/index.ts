/** The data channel of ECS Exec: the protocol of Session Manager, both of its sides. */
export { ExecClient, type ExecClientPorts, ownClient } from './client.ts';
export {
  BadMessage,
  decodeMessage,
  encodeMessage,
  flags,
  type Message,
  type MessageType,
  mostFrame,
  mostPayload,
  payloadType,
  terminateSession,
} from './message.ts';
export { maskTo } from './mask.ts';
export { closingFrame, json, parsed, ReliableStream, type StreamPorts } from './stream.ts';
export { joinCommand, splitCommand } from './words.ts';
