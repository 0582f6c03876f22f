import type { AccessList, WebRoute } from '@slipway/auth/gateway';
import type Koa from 'koa';
import {
  type FoundBlob,
  ImagesError,
  parseDigest,
  parseRepositoryName,
  type RepositoryRecord,
} from '../images/index.ts';
import { accountOf, begin, empty, may, resourceOf, type Surroundings } from './exchange.ts';
import { repositoryAccess } from './manifests.ts';
import { parseRange } from './range.ts';
import { redirectFor } from './redirects.ts';

/** Routes of `/v2/<name>/blobs/<digest>`. */
export function blobRoute(
  surroundings: Surroundings,
  method: string,
  name: string,
  digest: string,
): WebRoute | undefined {
  switch (method) {
    case 'GET':
    case 'HEAD':
      return getBlob(surroundings, method, name, digest);
    case 'DELETE':
      return deleteBlob(surroundings, name, digest);
    default:
      return undefined;
  }
}

function getBlob(surroundings: Surroundings, method: 'GET' | 'HEAD', name: string, text: string): WebRoute {
  const { images } = surroundings;
  let seen: { repository?: RepositoryRecord; blob?: FoundBlob } = {};
  return {
    name: `${method} blob`,
    access: async (call): Promise<AccessList> => {
      const account = accountOf(surroundings, call);
      seen = await images.blobs.look(account, parseRepositoryName(name), parseDigest(text));
      const action = method === 'GET' ? 'ecr:GetDownloadUrlForLayer' : 'ecr:BatchCheckLayerAvailability';
      return [{ action, resources: [resourceOf(surroundings, account, name, seen.repository)] }];
    },
    handle: async (ctx, call) => {
      const account = accountOf(surroundings, call);
      const { repository, blob } = seen;
      if (repository === undefined)
        throw new ImagesError(
          'RepositoryNotFound',
          `The repository with name '${name}' does not exist in the registry with id '${account}'`,
          { name },
        );
      if (blob === undefined) throw notThere(text, name);
      if (method === 'GET') return sendBlob(surroundings, ctx, call.signal, repository, blob);
      // Who may push relies on the answer: it must stay true until the manifest comes.
      if (blob.leaseDue && (await may(surroundings, call, account, name, repository, ['ecr:InitiateLayerUpload']))) {
        if (!(await images.blobs.renew(account, repository, blob.digest))) throw notThere(text, name);
      }
      begin(ctx, 200, headersOf(blob));
      ctx.body = '';
      ctx.set({ 'Content-Type': 'application/octet-stream', 'Content-Length': String(blob.size) });
    },
  };
}

const notThere = (digest: string, name: string): ImagesError =>
  new ImagesError('BlobNotFound', `The blob ${digest} does not exist in the repository '${name}'`, { digest });

const headersOf = (blob: FoundBlob): Record<string, string> => ({
  'Docker-Content-Digest': blob.digest,
  'Accept-Ranges': 'bytes',
  ETag: `"${blob.digest}"`,
  'Cache-Control': 'private, max-age=31536000, immutable',
});

/** Sends a blob or a part of it, as it is stored: whatever the client says it accepts, the bytes are never encoded. */
async function sendBlob(
  surroundings: Surroundings,
  ctx: Koa.Context,
  signal: AbortSignal,
  repository: RepositoryRecord,
  blob: FoundBlob,
): Promise<void> {
  const range = parseRange(ctx.req.headers.range, blob.size);
  if (range === 'unsatisfiable') {
    empty(ctx, 416, { 'Content-Range': `bytes */${blob.size}`, 'Docker-Content-Digest': blob.digest });
    return;
  }
  const url = await redirectFor(
    surroundings.images,
    surroundings.redirects,
    repository,
    blob,
    ctx.req.headers['user-agent'] ?? '',
  );
  if (url !== undefined)
    return empty(ctx, 307, { Location: url, 'Docker-Content-Digest': blob.digest, 'Cache-Control': 'no-store' });

  const source = await surroundings.images.blobs.open(blob);
  const part = range === 'whole' ? undefined : range;
  const length = part ? part.end - part.start + 1 : blob.size;
  begin(ctx, part ? 206 : 200, {
    ...headersOf(blob),
    'Content-Type': 'application/octet-stream',
    'Content-Length': String(length),
    ...(part ? { 'Content-Range': `bytes ${part.start}-${part.end}/${blob.size}` } : {}),
  });
  // The store writes to the socket itself with recycled buffers; a stream through Koa would cost a fifth of the throughput.
  ctx.respond = false;
  ctx.res.statusCode = part ? 206 : 200;
  try {
    if (length > 0) await source.pipe(ctx.res, part, signal);
    ctx.res.end();
  } catch {
    // The headers are out: only a broken connection can tell the client that this is not the whole.
    ctx.res.destroy();
  }
}

function deleteBlob(surroundings: Surroundings, name: string, text: string): WebRoute {
  return {
    name: 'DELETE blob',
    access: repositoryAccess(surroundings, name, ['ecr:BatchDeleteImage']),
    handle: async (ctx, call) => {
      await surroundings.images.blobs.remove(
        accountOf(surroundings, call),
        parseRepositoryName(name),
        parseDigest(text),
      );
      empty(ctx, 202);
    },
  };
}
