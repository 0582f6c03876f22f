import type { AccessList, Call, WebRoute } from '@slipway/auth/contract';
import {
  type FoundBlob,
  ImagesError,
  parseDigest,
  parseRepositoryName,
  type RepositoryRecord,
} from '../images/index.ts';
import { accountOf, answerHeaders, empty, may, type DistributionPorts } from './exchange.ts';
import { repositoryAccess } from './manifests.ts';
import { upstreamCall } from './upstream.ts';
import { headersOf, sendBlob, sendIncoming } from './send-blob.ts';
import type { IncomingBlob } from '../upstreams/index.ts';

/** Routes of `/v2/<name>/blobs/<digest>`. */
export function blobRoute(
  ports: DistributionPorts,
  method: string,
  name: string,
  digest: string,
): WebRoute | undefined {
  switch (method) {
    case 'GET':
    case 'HEAD':
      return getBlob(ports, method, name, digest);
    case 'DELETE':
      return deleteBlob(ports, name, digest);
    default:
      return undefined;
  }
}

/** A blob that is here, or one that is on its way. */
type Found = { readonly account: string; readonly repository: RepositoryRecord } & (
  | { readonly blob: FoundBlob; readonly incoming?: undefined }
  | { readonly blob: Pick<FoundBlob, 'digest'>; readonly incoming: IncomingBlob }
);

function getBlob(ports: DistributionPorts, method: 'GET' | 'HEAD', name: string, text: string): WebRoute {
  const { images } = ports;
  let seen: { repository?: RepositoryRecord; blob?: FoundBlob } = {};
  /** The blob, or as it comes when an upstream has to be asked for it. */
  const find = async (call: Call): Promise<Found> => {
    const account = accountOf(ports, call);
    if (seen.blob === undefined && ports.upstreams !== undefined) {
      const digest = parseDigest(text);
      const incoming = await ports.upstreams.blob(upstreamCall(ports, call, name, seen.repository), digest);
      if (incoming && seen.repository) return { account, repository: seen.repository, blob: { digest }, incoming };
      seen = await images.blobs.look(account, name, digest);
    }
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
      const account = accountOf(ports, call);
      seen = await images.blobs.look(account, parseRepositoryName(name), parseDigest(text));
      const action = method === 'GET' ? 'ecr:GetDownloadUrlForLayer' : 'ecr:BatchCheckLayerAvailability';
      return [{ action, resources: [await ports.resources.of(account, name, seen.repository, action)] }];
    },
  };
  if (method === 'GET')
    return {
      ...declared,
      handle: async (ctx, call) => {
        const { account, repository, blob, incoming } = await find(call);
        const pulled = { account, repository, digest: blob.digest, caller: call.principal.arn };
        const refusal = await ports.policy.blob(pulled);
        if (refusal) throw new ImagesError('PullRefused', refusal.reason);
        if (incoming) await sendIncoming(ports, ctx, call.signal, blob, incoming);
        else await sendBlob(ports, ctx, call.signal, repository, blob);
      },
    };
  return {
    ...declared,
    respond: async (_request, answer, call) => {
      let found = await find(call);
      const headers = Object.entries(headersOf(found.blob)).flat();
      if (found.incoming?.size !== undefined)
        return answer(200, answerHeaders(...headers, ...bodyOf(found.incoming.size)));
      if (found.incoming) {
        // How large it is shows when all of it is here.
        await found.incoming.stored;
        found = await find(call);
      }
      if (found.incoming) throw notThere(text, name);
      const { account, repository, blob } = found;
      // Who may push relies on the answer: it must stay true until the manifest comes.
      if (blob.leaseDue && (await may(ports, call, account, name, repository, ['ecr:InitiateLayerUpload']))) {
        if (!(await images.blobs.renew(account, repository, blob.digest))) throw notThere(text, name);
      }
      // A blob whose lease has to be looked after is looked at each time.
      answer(200, answerHeaders(...headers, ...bodyOf(blob.size)), undefined, blob.leaseDue ? undefined : {});
    },
  };
}

const bodyOf = (size: number): string[] => ['Content-Type', 'application/octet-stream', 'Content-Length', String(size)];

const notThere = (digest: string, name: string): ImagesError =>
  new ImagesError('BlobNotFound', `The blob ${digest} does not exist in the repository '${name}'`, { digest });

function deleteBlob(ports: DistributionPorts, name: string, text: string): WebRoute {
  return {
    name: 'DELETE blob',
    access: repositoryAccess(ports, name, ['ecr:BatchDeleteImage']),
    handle: async (ctx, call) => {
      await ports.images.blobs.remove(accountOf(ports, call), parseRepositoryName(name), parseDigest(text));
      empty(ctx, 202);
    },
  };
}
