import type { AccessList, Call, WebRoute } from '@slipway/auth/contract';
import {
  type FoundBlob,
  ImagesError,
  parseDigest,
  parseRepositoryName,
  type RepositoryRecord,
} from '../images/index.ts';
import { accountOf, answerHeaders, empty, may, type Surroundings } from './exchange.ts';
import { repositoryAccess } from './manifests.ts';
import { mayImport } from './upstream.ts';
import { headersOf, sendBlob } from './send-blob.ts';

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
  /** The blob, also when an upstream has to be asked for it. */
  const find = async (call: Call): Promise<{ account: string; repository: RepositoryRecord; blob: FoundBlob }> => {
    const account = accountOf(surroundings, call);
    if (
      seen.blob === undefined &&
      (await surroundings.upstreams?.blob(
        account,
        parseRepositoryName(name),
        parseDigest(text),
        mayImport(surroundings, call, account, name, seen.repository),
      ))
    )
      seen = await images.blobs.look(account, name, parseDigest(text));
    const { repository, blob } = seen;
    if (repository === undefined)
      throw new ImagesError(
        'RepositoryNotFound',
        `The repository with name '${name}' does not exist in the registry with id '${account}'`,
        { name },
      );
    if (blob === undefined) throw notThere(text, name);
    return { account, repository, blob };
  };
  const declared = {
    name: `${method} blob`,
    access: async (call: Call): Promise<AccessList> => {
      const account = accountOf(surroundings, call);
      seen = await images.blobs.look(account, parseRepositoryName(name), parseDigest(text));
      const action = method === 'GET' ? 'ecr:GetDownloadUrlForLayer' : 'ecr:BatchCheckLayerAvailability';
      return [{ action, resources: [await surroundings.resources.of(account, name, seen.repository, action)] }];
    },
  };
  if (method === 'GET')
    return {
      ...declared,
      handle: async (ctx, call) => {
        const { account, repository, blob } = await find(call);
        const pulled = { account, repository, digest: blob.digest, caller: call.principal.arn };
        const refusal = await surroundings.policy.blob(pulled);
        if (refusal) throw new ImagesError('PullRefused', refusal.reason);
        await sendBlob(surroundings, ctx, call.signal, repository, blob);
      },
    };
  return {
    ...declared,
    respond: async (_request, answer, call) => {
      const { account, repository, blob } = await find(call);
      // Who may push relies on the answer: it must stay true until the manifest comes.
      if (blob.leaseDue && (await may(surroundings, call, account, name, repository, ['ecr:InitiateLayerUpload']))) {
        if (!(await images.blobs.renew(account, repository, blob.digest))) throw notThere(text, name);
      }
      const headers = Object.entries(headersOf(blob)).flat();
      const body = ['Content-Type', 'application/octet-stream', 'Content-Length', String(blob.size)];
      // A blob whose lease has to be looked after is looked at each time.
      answer(200, answerHeaders(...headers, ...body), undefined, blob.leaseDue ? undefined : {});
    },
  };
}

const notThere = (digest: string, name: string): ImagesError =>
  new ImagesError('BlobNotFound', `The blob ${digest} does not exist in the repository '${name}'`, { digest });

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
