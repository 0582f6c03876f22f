import type Koa from 'koa';
import type { BlobSource } from '@slipway/storage/blobs';
import type { FoundBlob, Images, RepositoryRecord } from '../images/index.ts';
import type { IncomingBlob } from '../upstreams/index.ts';
import { type BlobBody, blobBody } from './byte-ranges.ts';
import { begin, empty } from './exchange.ts';
import { parseRanges } from './range.ts';
import { redirectFor, type Redirects } from './redirects.ts';

export interface BlobSender {
  readonly images: Images;
  readonly redirects: Redirects | undefined;
}

/** What every answer about a blob says. */
export const headersOf = (blob: Pick<FoundBlob, 'digest'>): Record<string, string> => ({
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
  if (ranges === 'unsatisfiable') return unsatisfiable(ctx, blob, blob.size);
  const url = await redirectFor(images, redirects, repository, blob, ctx.req.headers);
  if (url !== undefined)
    return empty(ctx, 307, { Location: url, 'Docker-Content-Digest': blob.digest, 'Cache-Control': 'no-store' });

  await send(images, ctx, signal, blob, await images.blobs.open(blob), blobBody(ranges, blob.size));
}

/** Sends a blob that is still arriving, as it arrives. Without its size known, the whole is sent, whatever part is asked for. */
export async function sendIncoming(
  { images }: BlobSender,
  ctx: Koa.Context,
  signal: AbortSignal,
  blob: Pick<FoundBlob, 'digest'>,
  incoming: IncomingBlob,
): Promise<void> {
  const { size } = incoming;
  const ranges = size === undefined ? 'whole' : parseRanges(ctx.req.headers.range, size);
  if (ranges === 'unsatisfiable') return unsatisfiable(ctx, blob, size ?? 0);
  const body: BlobBody =
    size === undefined
      ? { status: 200, headers: { 'Content-Type': 'application/octet-stream' }, pieces: [undefined] }
      : blobBody(ranges, size);
  await send(images, ctx, signal, blob, incoming, body);
}

async function send(
  images: Images,
  ctx: Koa.Context,
  signal: AbortSignal,
  blob: Pick<FoundBlob, 'digest'>,
  source: Pick<BlobSource, 'pipe'>,
  { status, headers, pieces }: BlobBody,
): Promise<void> {
  begin(ctx, status, { ...headersOf(blob), ...headers });
  // The source writes to the socket itself; a stream through Koa would cost a fifth of the throughput.
  ctx.respond = false;
  ctx.res.statusCode = status;
  try {
    for (const piece of pieces) {
      if (typeof piece === 'string') ctx.res.write(piece, 'latin1');
      else await source.pipe(ctx.res, piece, signal);
    }
    images.ports.meter.sent(Number(headers['Content-Length'] ?? 0));
    ctx.res.end();
  } catch (error) {
    // A client that went away needs no answer; for others the front door answers, or breaks the connection off.
    if (!signal.aborted && !hasLeft(ctx.res)) throw error;
  }
}

const unsatisfiable = (ctx: Koa.Context, { digest }: Pick<FoundBlob, 'digest'>, size: number): void =>
  empty(ctx, 416, { 'Content-Range': `bytes */${size}`, 'Docker-Content-Digest': digest });

/** Whether the client is gone: its connection was closed, or broke under what was written to it just now. */
const hasLeft = ({ destroyed, socket }: Koa.Context['res']): boolean =>
  destroyed || socket === null || socket.destroyed || socket.errored !== null;
