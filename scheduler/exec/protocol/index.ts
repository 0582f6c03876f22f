/** The data channel of ECS Exec: the protocol of Session Manager, both of its sides; and our own of copies of files. */
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
export {
  copyFrame,
  copyLimits,
  copyOrder,
  copyPath,
  copyReport,
  type CopyReport,
  copyRequest,
  type CopyStart,
  parseCopyFrame,
} from './copy.ts';
export { acceptCopy, CopyChannel, copyProtocol } from './copy-channel.ts';
export { giveBack, pour } from './give-back.ts';
export { CopyRefused, openCopy } from './open-copy.ts';
export { maskTo } from './mask.ts';
export { closingFrame, json, parsed, ReliableStream, type StreamPorts } from './stream.ts';
export { joinCommand, splitCommand } from './words.ts';
