/** The data channel of ECS Exec: the protocol of Session Manager, both of its sides. */
export { type ClientSocket, ExecClient, type ExecClientPorts, ownClient } from './client.ts';
export {
  BadMessage,
  decodeMessage,
  encodeMessage,
  type Message,
  type MessageType,
  mostFrame,
  mostPayload,
  payloadType,
  terminateSession,
} from './message.ts';
export { json, parsed, ReliableStream, type StreamPorts } from './stream.ts';
export { joinCommand, splitCommand } from './words.ts';
