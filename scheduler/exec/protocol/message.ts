import { hash, timingSafeEqual } from 'node:crypto';

/**
 * Messages of the data channel of Session Manager, as session-manager-plugin has them: a header of fixed size, then the payload. All
 * numbers are big endian.
 */

/** What a message is about. Other types are ignored. */
export type MessageType =
  | 'input_stream_data'
  | 'output_stream_data'
  | 'acknowledge'
  | 'channel_closed'
  | 'start_publication'
  | 'pause_publication';

/** What the payload of a message of a stream is. */
export const payloadType = {
  output: 1,
  error: 2,
  size: 3,
  handshakeRequest: 5,
  handshakeResponse: 6,
  handshakeComplete: 7,
  flag: 10,
  standardError: 11,
  exitCode: 12,
} as const;

/** Bits of a message's flags. */
export const flags = { first: 1, last: 2, acknowledgement: 3 } as const;

/** What a payload of type flag says: the session is to end. */
export const terminateSession = 2;

export interface Message {
  readonly type: string;
  readonly sequence: number;
  readonly flags: number;
  /** 16 bytes. */
  readonly id: Buffer;
  readonly payloadType: number;
  readonly payload: Buffer;
}

/** Bytes of the header, its own length included. */
const headerBytes = 120;
const at = {
  type: 4,
  schema: 36,
  created: 40,
  sequence: 48,
  flags: 56,
  id: 64,
  digest: 80,
  payloadType: 112,
  payloadLength: 116,
} as const;

/** Bytes of the payload of one message at most; the plug-in sends 1,024. */
export const mostPayload = 64 * 1024;
/** Bytes of one frame at most. */
export const mostFrame = headerBytes + mostPayload;

/** The peer sent what is no message of the protocol. */
export class BadMessage extends Error {
  override readonly name = 'BadMessage';
}

/**
 * One message as a frame.
 * @param created milliseconds since the epoch
 */
export function encodeMessage(message: Message & { readonly type: MessageType }, created: number): Buffer {
  const { payload } = message;
  // Every byte of it is written below.
  const frame = Buffer.allocUnsafe(headerBytes + payload.length);
  frame.writeUInt32BE(headerBytes - 4, 0);
  frame.write(message.type.padEnd(32, ' '), at.type, 'latin1');
  frame.writeUInt32BE(1, at.schema);
  frame.writeBigUInt64BE(BigInt(Math.trunc(created)), at.created);
  frame.writeBigInt64BE(BigInt(message.sequence), at.sequence);
  frame.writeBigUInt64BE(BigInt(message.flags), at.flags);
  // The lower half of the id comes first.
  message.id.copy(frame, at.id, 8, 16);
  message.id.copy(frame, at.id + 8, 0, 8);
  hash('sha256', payload, 'buffer').copy(frame, at.digest);
  frame.writeUInt32BE(message.payloadType, at.payloadType);
  frame.writeUInt32BE(payload.length, at.payloadLength);
  payload.copy(frame, headerBytes);
  return frame;
}

/** Reads one frame; the payload lies in the frame's own memory. @throws BadMessage */
export function decodeMessage(frame: Buffer): Message {
  if (frame.length < headerBytes || frame.length > mostFrame) throw new BadMessage('a frame has no size of a message');
  if (frame.readUInt32BE(0) !== headerBytes - 4) throw new BadMessage('a header has another length');
  const payload = frame.subarray(headerBytes);
  if (frame.readUInt32BE(at.payloadLength) !== payload.length) throw new BadMessage('a payload has another length');
  const sequence = frame.readBigInt64BE(at.sequence);
  if (sequence < 0n || sequence > BigInt(Number.MAX_SAFE_INTEGER)) throw new BadMessage('a sequence number is none');
  if (!timingSafeEqual(hash('sha256', payload, 'buffer'), frame.subarray(at.digest, at.digest + 32)))
    throw new BadMessage('a payload is not what its digest says');
  return {
    type: frame
      .toString('latin1', at.type, at.type + 32)
      .replaceAll('\0', ' ')
      .trimEnd(),
    sequence: Number(sequence),
    flags: Number(frame.readBigUInt64BE(at.flags) & 0xffn),
    id: Buffer.concat([frame.subarray(at.id + 8, at.id + 16), frame.subarray(at.id, at.id + 8)]),
    payloadType: frame.readUInt32BE(at.payloadType),
    payload,
  };
}

/** The id as acknowledgements write it. */
export const idText = (id: Buffer): string =>
  id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
