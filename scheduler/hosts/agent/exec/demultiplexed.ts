import { execStream } from '../../wire/index.ts';

/** What a command wrote to one of its streams. */
export interface Written {
  /** One of {@link execStream}. */
  readonly stream: number;
  readonly bytes: Buffer;
}

/** Bytes of the header of a frame: its stream, and its length. */
const headerBytes = 8;

/**
 * The two streams of a command without a terminal, each frame with a header of 8 bytes (Docker Engine API, "Stream format"). The engine
 * writes frames of at most 32 KiB, and they come in pieces: what came at once of one stream is joined, in its own memory, since each piece is
 * a frame, an acknowledgement and more on its way to the client.
 * @param chunks what the engine sends; nobody else reads it
 */
export async function* demultiplexed(chunks: AsyncIterable<Buffer>): AsyncGenerator<Written> {
  let header = Buffer.alloc(0);
  let left = 0;
  let of: number = execStream.stdout;
  for await (const chunk of chunks) {
    // What is joined and not told yet: it lies before what is read, as headers are left out of it.
    let [from, to] = [0, 0];
    for (let at = 0; at < chunk.length;) {
      if (left === 0) {
        const more = chunk.subarray(at, at + headerBytes - header.length);
        header = Buffer.concat([header, more]);
        at += more.length;
        if (header.length < headerBytes) break;
        const next = header[0] === execStream.stderr ? execStream.stderr : execStream.stdout;
        left = header.readUInt32BE(4);
        header = Buffer.alloc(0);
        if (next !== of && to > from) {
          yield { stream: of, bytes: chunk.subarray(from, to) };
          from = to;
        }
        of = next;
        continue;
      }
      const end = Math.min(at + left, chunk.length);
      chunk.copyWithin(to, at, end);
      to += end - at;
      left -= end - at;
      at = end;
    }
    if (to > from) yield { stream: of, bytes: chunk.subarray(from, to) };
  }
}
