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

/** The body as a stream, or undefined when the request says it has none. */
export function bodyOf(request: IncomingMessage): AsyncIterable<Uint8Array> | undefined {
  refuseEncoding(request);
  const hasNone =
    request.headers['transfer-encoding'] === undefined && Number(request.headers['content-length'] ?? 0) === 0;
  return hasNone ? undefined : (request as AsyncIterable<Buffer>);
}
