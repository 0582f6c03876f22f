import type Koa from 'koa';
import type { FoundBlob, Images, RepositoryRecord } from '../images/index.ts';
import { blobBody } from './byte-ranges.ts';
import { begin, empty } from './exchange.ts';
import { parseRanges } from './range.ts';
import { redirectFor, type Redirects } from './redirects.ts';

export interface BlobSender {
  readonly images: Images;
  readonly redirects: Redirects | undefined;
}

/** What every answer about a blob says. */
export const headersOf = (blob: FoundBlob): Record<string, string> => ({
  'Docker-Content-Digest': blob.digest,
  'Accept-Ranges': 'bytes',
  ETag: `"${blob.digest}"`,
  'Cache-Control': 'private, max-age=31536000, immutable',
});

/** Sends a blob or parts of it, as it is stored: whatever the client says it accepts, the bytes are never encoded. */
export async function sendBlob(
  { images, redirects }: BlobSender,
  ctx: Koa.Context,
  signal: AbortSignal,
  repository: RepositoryRecord,
  blob: FoundBlob,
): Promise<void> {
  const ranges = parseRanges(ctx.req.headers.range, blob.size);
  if (ranges === 'unsatisfiable') {
    empty(ctx, 416, { 'Content-Range': `bytes */${blob.size}`, 'Docker-Content-Digest': blob.digest });
    return;
  }
  const url = await redirectFor(images, redirects, repository, blob, ctx.req.headers);
  if (url !== undefined)
    return empty(ctx, 307, { Location: url, 'Docker-Content-Digest': blob.digest, 'Cache-Control': 'no-store' });

  const source = await images.blobs.open(blob);
  const { status, headers, pieces } = blobBody(ranges, blob.size);
  begin(ctx, status, { ...headersOf(blob), ...headers });
  // The store writes to the socket itself with recycled buffers; a stream through Koa would cost a fifth of the throughput.
  ctx.respond = false;
  ctx.res.statusCode = status;
  try {
    for (const piece of pieces) {
      if (typeof piece === 'string') ctx.res.write(piece, 'latin1');
      else await source.pipe(ctx.res, piece, signal);
    }
    images.context.meter.sent(Number(headers['Content-Length']));
    ctx.res.end();
  } catch (error) {
    // A client that went away needs no answer; for others the front door answers, or breaks the connection off.
    if (!signal.aborted && !hasLeft(ctx.res)) throw error;
  }
}

/** Whether the client is gone: its connection was closed, or broke under what was written to it just now. */
const hasLeft = ({ destroyed, socket }: Koa.Context['res']): boolean =>
  destroyed || socket === null || socket.destroyed || socket.errored !== null;
