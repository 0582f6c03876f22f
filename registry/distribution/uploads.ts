import type { Call, WebRoute } from '@slipway/auth/contract';
import type Koa from 'koa';
import {
  type AppendRange,
  ImagesError,
  parseDigest,
  parseRepositoryName,
  type RepositoryName,
  type UploadAddress,
  type UploadState,
} from '../images/index.ts';
import { DistributionError } from './errors.ts';
import { accountOf, empty, may, repositoryForPush, type DistributionPorts } from './exchange.ts';
import { repositoryAccess } from './manifests.ts';
import { parseContentRange } from './range.ts';
import { bodyOf } from './read-body.ts';

/** What pulling takes: the rights behind a mount. */
const pullActions = ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'];

/** Route of `/v2/<name>/blobs/uploads/`: begin an upload, upload in one request, or mount. */
export function uploadsRoute(
  ports: DistributionPorts,
  method: string,
  name: string,
  query: URLSearchParams,
): WebRoute | undefined {
  if (method !== 'POST') return undefined;
  const whole = query.has('digest') && !query.has('mount');
  return {
    name: whole ? 'POST whole blob' : query.has('mount') ? 'POST mount' : 'POST upload',
    access: repositoryAccess(
      ports,
      name,
      whole
        ? ['ecr:InitiateLayerUpload', 'ecr:UploadLayerPart', 'ecr:CompleteLayerUpload']
        : ['ecr:InitiateLayerUpload'],
    ),
    handle: async (ctx, call) => {
      const account = accountOf(ports, call);
      const { images } = ports;
      const algorithm = query.get('digest-algorithm');
      if (algorithm !== null && algorithm !== 'sha256' && algorithm !== 'sha512') {
        throw new ImagesError('DigestInvalid', 'The digest algorithms known here are sha256 and sha512.');
      }
      if (query.has('mount') && (await mount(ports, ctx, call, account, name, query))) return;
      if (whole) {
        const digest = onlyDigest(query);
        const body = bodyOf(ctx.req);
        const repository = await repositoryForPush(ports, call, account, name, ctx);
        finished(await images.uploads.whole(account, repository, digest, body ?? noBytes()));
        return created(ctx, name, digest);
      }
      const repository = await repositoryForPush(ports, call, account, name, ctx);
      const { id } = await images.uploads.start(account, repository, call.principal.id);
      empty(ctx, 202, progress(name, id, 0));
    },
  };
}

/** Mounts where that is possible. Where it is not, the answer is an upload, as the specification wants: never a refusal. */
async function mount(
  ports: DistributionPorts,
  ctx: Koa.Context,
  call: Call,
  account: string,
  name: string,
  query: URLSearchParams,
): Promise<boolean> {
  const digest = parseDigest(query.get('mount') ?? '');
  const from = query.get('from') ?? '';
  const source = from === '' ? undefined : safeName(from);
  if (from !== '' && source === undefined) return false;
  const { settings } = await ports.images.repositories.registry(account);
  if (settings?.['BLOB_MOUNTING'] === 'DISABLED') return false;
  const target = await repositoryForPush(ports, call, account, name, ctx);
  const mounted = await ports.images.blobs.mount(account, {
    target,
    digest,
    ...(source === undefined ? {} : { from: source }),
    mayPull: async (repository) =>
      (await may(ports, call, account, repository.name, repository, pullActions)) &&
      (await ports.policy.blob({ account, repository, digest, caller: call.principal.arn })) === undefined,
  });
  if (mounted) created(ctx, name, digest);
  return mounted;
}

function safeName(text: string): RepositoryName | undefined {
  try {
    return parseRepositoryName(text);
  } catch {
    return undefined;
  }
}

/** Routes of one upload: `/v2/<name>/blobs/uploads/<id>`. */
export function uploadRoute(
  ports: DistributionPorts,
  method: string,
  name: string,
  id: string,
  query: URLSearchParams,
): WebRoute | undefined {
  const { uploads } = ports.images;
  const address = (call: Call): UploadAddress => ({
    account: accountOf(ports, call),
    repository: parseRepositoryName(name),
    id,
    principal: call.principal.id,
  });
  switch (method) {
    case 'GET':
    case 'HEAD':
      return {
        name: 'GET upload',
        access: repositoryAccess(ports, name, ['ecr:UploadLayerPart']),
        handle: async (ctx, call) => empty(ctx, 204, progress(name, id, (await uploads.status(address(call))).size)),
      };
    case 'PATCH':
      return {
        name: 'PATCH upload',
        access: repositoryAccess(ports, name, ['ecr:UploadLayerPart']),
        handle: async (ctx, call) => {
          const range = await rangeOf(ctx, () => uploads.status(address(call)));
          const { size } = finished(await uploads.append(address(call), bodyOf(ctx.req) ?? noBytes(), range));
          empty(ctx, 202, progress(name, id, size));
        },
      };
    case 'PUT':
      return {
        name: 'PUT upload',
        access: repositoryAccess(ports, name, ['ecr:CompleteLayerUpload']),
        handle: async (ctx, call) => {
          const digest = onlyDigest(query);
          const body = bodyOf(ctx.req);
          const range = body === undefined ? undefined : await rangeOf(ctx, () => uploads.status(address(call)));
          finished(await uploads.finish(address(call), digest, body, range));
          created(ctx, name, digest);
        },
      };
    case 'DELETE':
      return {
        name: 'DELETE upload',
        access: repositoryAccess(ports, name, ['ecr:UploadLayerPart']),
        handle: async (ctx, call) => {
          await uploads.cancel(address(call));
          empty(ctx, 204);
        },
      };
    default:
      return undefined;
  }
}

function onlyDigest(query: URLSearchParams) {
  const digests = query.getAll('digest');
  if (digests.length !== 1)
    throw new ImagesError('DigestInvalid', `An upload is finished with exactly one ?digest=, not ${digests.length}.`);
  return parseDigest(digests[0] as string);
}

/** Where the client says its bytes belong. One that contradicts the body's length is answered like one that does not fit. */
async function rangeOf(ctx: Koa.Context, status: () => Promise<UploadState>): Promise<AppendRange | undefined> {
  const range = parseContentRange(ctx.req.headers['content-range']);
  if (range === 'none') return undefined;
  const length = ctx.req.headers['content-length'];
  if (range === 'invalid' || (length !== undefined && Number(length) !== range.end - range.start + 1)) {
    const { size } = await status();
    throw new ImagesError(
      'UploadRangeInvalid',
      `Content-Range must be <first>-<last> and agree with Content-Length; the upload has ${size} bytes.`,
      { size },
    );
  }
  return range;
}

/** A body that broke off has no client left to answer, but the log must not say that all went well. */
function finished(state: UploadState): UploadState {
  if (state.cut !== undefined)
    throw new DistributionError(
      400,
      'BLOB_UPLOAD_INVALID',
      "The body ended before its end. Ask for the upload's status, then go on from there.",
    );
  return state;
}

const progress = (name: string, id: string, size: number): Record<string, string> => ({
  Location: `/v2/${name}/blobs/uploads/${id}`,
  Range: `0-${Math.max(0, size - 1)}`,
  'Docker-Upload-UUID': id,
});

const created = (ctx: Koa.Context, name: string, digest: string): void =>
  empty(ctx, 201, { Location: `/v2/${name}/blobs/${digest}`, 'Docker-Content-Digest': digest });

async function* noBytes(): AsyncGenerator<Uint8Array> {}
