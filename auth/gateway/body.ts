import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { GatewayError } from '../contract/index.ts';

const unzip = promisify(gunzip);

/**
 * Reads a whole request body as received.
 * @param limit bytes; a longer one is refused at the byte, a longer Content-Length before the first
 * @throws GatewayError `too-large`, or `bad-request` when the client goes away
 */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const declared = request.headers['content-length'];
  if (declared !== undefined && Number(declared) > limit) return Promise.reject(tooLarge(limit));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.byteLength;
      if (size > limit) {
        request.pause();
        request.removeAllListeners('data');
        reject(tooLarge(limit));
        return;
      }
      chunks.push(chunk);
    });
    request.once('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size)));
    request.once('error', () =>
      reject(new GatewayError('bad-request', 'the request ended before its body was complete')),
    );
    request.once('aborted', () =>
      reject(new GatewayError('bad-request', 'the request ended before its body was complete')),
    );
  });
}

/**
 * The body after its Content-Encoding is taken off; the signature was checked over what was received.
 * @throws GatewayError for an encoding that is not gzip, bytes that are not, or more than `limit` bytes inside
 */
export async function decodeBody(request: IncomingMessage, body: Buffer, limit: number): Promise<Buffer> {
  const encoding = request.headers['content-encoding']?.trim().toLowerCase();
  // aws-chunked belongs to S3's streaming payloads, which are refused with the signature.
  if (encoding === undefined || encoding === '' || encoding === 'identity') return body;
  if (encoding !== 'gzip') throw new GatewayError('bad-request', 'the only Content-Encoding supported is gzip');
  try {
    return await unzip(body, { maxOutputLength: limit });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(limit);
    throw new GatewayError('bad-request', 'the body is not valid gzip');
  }
}

const tooLarge = (limit: number): GatewayError =>
  new GatewayError('too-large', `the request body is larger than ${limit} bytes`);
