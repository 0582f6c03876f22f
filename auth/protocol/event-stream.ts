import { crc32 } from 'node:zlib';
import type { NormalizedSchema } from '@smithy/core/schema';

export const eventStreamType = 'application/vnd.amazon.eventstream';

/** What every decoder takes (AWS, "Amazon Event Stream Specification"): 16 MiB of payload, 128 KiB of headers. */
const MAX_PAYLOAD = 16 * 1024 * 1024;
const MAX_HEADERS = 128 * 1024;
const TEXT = 7;

/**
 * One frame: prelude (both lengths, CRC), headers, payload, CRC.
 * @param headers text headers in order, such as `[':message-type', 'event']`
 * @throws RangeError beyond what the format carries
 */
export function encodeFrame(headers: readonly (readonly [name: string, value: string])[], payload: Uint8Array): Buffer {
  const head = Buffer.concat(
    headers.map(([name, value]) => {
      const key = Buffer.from(name);
      const text = Buffer.from(value);
      if (key.byteLength === 0 || key.byteLength > 255 || text.byteLength > 0xffff)
        throw new RangeError(`the event stream header ${name.slice(0, 64)} is too long`);
      const header = Buffer.alloc(4 + key.byteLength + text.byteLength);
      header.writeUInt8(key.byteLength);
      key.copy(header, 1);
      header.writeUInt8(TEXT, 1 + key.byteLength);
      header.writeUInt16BE(text.byteLength, 2 + key.byteLength);
      text.copy(header, 4 + key.byteLength);
      return header;
    }),
  );
  if (head.byteLength > MAX_HEADERS || payload.byteLength > MAX_PAYLOAD)
    throw new RangeError('the event is larger than a frame can carry');
  const frame = Buffer.alloc(16 + head.byteLength + payload.byteLength);
  frame.writeUInt32BE(frame.byteLength, 0);
  frame.writeUInt32BE(head.byteLength, 4);
  frame.writeUInt32BE(crc32(frame.subarray(0, 8)), 8);
  head.copy(frame, 12);
  frame.set(payload, 12 + head.byteLength);
  frame.writeUInt32BE(crc32(frame.subarray(0, -4)), frame.byteLength - 4);
  return frame;
}

/** How a protocol writes the payload of an event. */
export interface EventFormat {
  readonly contentType: string;
  readonly encode: (schema: NormalizedSchema, value: unknown) => Uint8Array;
}

/** An event that is one member of the stream's union: `{ sessionUpdate: { … } }`. */
export type StreamEvent = Readonly<Record<string, unknown>>;

/** The first frame of a stream of the RPC protocols: what of the output is not the stream. */
export const encodeInitial = (format: EventFormat, payload: Uint8Array): Buffer =>
  encodeFrame(
    [
      [':message-type', 'event'],
      [':event-type', 'initial-response'],
      [':content-type', format.contentType],
    ],
    payload,
  );

/** @throws TypeError when the event is none of the union's */
export function encodeEvent(union: NormalizedSchema, event: StreamEvent, format: EventFormat): Buffer {
  for (const [name, member] of union.structIterator()) {
    if (event[name] === undefined) continue;
    return encodeFrame(
      [
        [':message-type', 'event'],
        [':event-type', name],
        [':content-type', format.contentType],
      ],
      format.encode(member, event[name]),
    );
  }
  throw new TypeError(`${union.getName()} has no event ${Object.keys(event).join(', ')}`);
}

/** The end of a stream by an error: the answer's head is out, so its status cannot say it any more. */
export const encodeException = (code: string, members: { readonly message: string }): Buffer =>
  encodeFrame(
    [
      [':message-type', 'exception'],
      [':exception-type', code],
      [':content-type', 'application/json'],
    ],
    Buffer.from(JSON.stringify(members)),
  );
