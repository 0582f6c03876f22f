import type { IncomingMessage } from 'node:http';
import { ImagesError } from '../images/index.ts';
import { DistributionError } from './errors.ts';

/**
 * Reads a body whole, up to a limit; stops at the byte that is too many.
 * @throws ImagesError `ManifestTooLarge`
 */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  refuseEncoding(request);
  const tooLarge = (): ImagesError =>
    new ImagesError('ManifestTooLarge', `The manifest is too large: at most ${limit} bytes are allowed.`);
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > limit) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw tooLarge();
    chunks.push(chunk);
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}

/** Bytes are stored as they come; an encoded body would be stored encoded, under the wrong digest. */
export function refuseEncoding(request: IncomingMessage): void {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== '' && encoding !== 'identity') {
    throw new DistributionError(
      415,
      'UNSUPPORTED',
      `Content-Encoding ${encoding.slice(0, 40)} is not supported on uploads; send the bytes as they are.`,
    );
  }
}

/**
 * The body as a stream, or undefined when the request says it has none. A chunk is valid until the next one is asked for; then its
 * memory is given back at once. Left to the garbage collector, which weighs a chunk by its object and not by its bytes, the chunks of
 * a hundred uploads would take 100 MiB that nobody uses.
 */
export function bodyOf(request: IncomingMessage): AsyncIterable<Uint8Array> | undefined {
  refuseEncoding(request);
  const hasNone =
    request.headers['transfer-encoding'] === undefined && Number(request.headers['content-length'] ?? 0) === 0;
  return hasNone ? undefined : releasing(request as AsyncIterable<Buffer>);
}

async function* releasing(body: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    yield chunk;
    // Not a slice of the pool that small buffers share.
    if (chunk.byteLength === chunk.buffer.byteLength) (chunk.buffer as ArrayBuffer).transfer(0);
  }
}
