import type { AccessList, AccessRequest, Call, WebRoute } from '@slipway/auth/contract';
import type { IncomingMessage } from 'node:http';
import {
  type FoundManifest,
  ImagesError,
  maxManifestBytes,
  parseReference,
  parseRepositoryName,
  parseTag,
  type Reference,
  type RepositoryRecord,
  servedAs,
  type Tag,
} from '../images/index.ts';
import { DistributionError } from './errors.ts';
import { replicator } from '../replication/index.ts';
import {
  accountOf,
  answerHeaders,
  empty,
  isReplicated,
  repositoryForPush,
  type DistributionPorts,
} from './exchange.ts';
import { manifestFromUpstream } from './upstream.ts';
import type { PullPolicy } from '../scanning/index.ts';
import { readBody } from './read-body.ts';

const maxTagsPerRequest = 100;

/** Routes of `/v2/<name>/manifests/<reference>`. */
export function manifestRoute(
  ports: DistributionPorts,
  method: string,
  name: string,
  text: string,
  query: URLSearchParams,
): WebRoute | undefined {
  switch (method) {
    case 'GET':
    case 'HEAD':
      return getManifest(ports, method, name, text);
    case 'PUT':
      return putManifest(ports, name, text, query);
    case 'DELETE':
      return deleteManifest(ports, name, text);
    default:
      return undefined;
  }
}

/** One read finds the repository with its policy and what the reference points at; authorization and answer both use it. */
function getManifest(ports: DistributionPorts, method: 'GET' | 'HEAD', name: string, text: string): WebRoute {
  const { images } = ports;
  let seen: { repository?: RepositoryRecord; manifest?: FoundManifest } = {};
  return {
    name: `${method} manifest`,
    access: async (call): Promise<AccessList> => {
      const account = accountOf(ports, call);
      const repository = parseRepositoryName(name);
      seen = await images.manifests.look(account, repository, parseReference(text));
      const action = 'ecr:BatchGetImage';
      return [{ action, resources: [await ports.resources.of(account, name, seen.repository, action)] }];
    },
    respond: async (request, answer, call) => {
      const account = accountOf(ports, call);
      const upstream = ports.upstreams && (await manifestFromUpstream(ports, call, name, text, seen));
      if (upstream) {
        // What is pulled for the first time is imported, and scanned, beside this: until then nobody has judged it.
        const repository = await images.repositories.get(account, parseRepositoryName(name));
        await refuse(ports, { account, repository, digest: upstream.digest, caller: call.principal.arn }, upstream);
        return answer(200, headersOf(upstream.mediaType, upstream.bytes.length, upstream.digest), upstream.bytes);
      }
      const { repository, manifest } = seen;
      if (repository === undefined)
        throw new ImagesError(
          'RepositoryNotFound',
          `The repository with name '${name}' does not exist in the registry with id '${account}'`,
          { name },
        );
      if (manifest === undefined)
        throw new ImagesError('ManifestNotFound', `Requested image not found: ${name}, ${text}`, { reference: text });
      if (manifest.archived)
        throw new ImagesError(
          'ManifestNotFound',
          `The image ${name}, ${text} is archived; restore it with UpdateImageStorageClass before it can be pulled`,
          { reference: text },
        );
      await refuse(ports, { account, repository, digest: manifest.digest, caller: call.principal.arn });
      if (isFresh(request, manifest)) return answer(304, taggedBy(manifest.digest));
      const headers = headersOf(manifest.mediaType, manifest.size, manifest.digest);
      if (method === 'HEAD') return answer(200, headers, undefined, {});
      const body = await images.manifests.content(account, name, manifest.digest);
      const noted = (): void => images.pulls.note(account, name, manifest.digest, call.principal.arn);
      noted();
      answer(200, headers, body, { also: noted });
    },
  };
}

/** @throws ImagesError `PullRefused` where a rule about findings refuses the manifest */
async function refuse({ policy }: DistributionPorts, ...pulled: Parameters<PullPolicy['manifest']>): Promise<void> {
  const refusal = await policy.manifest(...pulled);
  if (refusal) throw new ImagesError('PullRefused', refusal.reason);
}

const taggedBy = (digest: string): string[] => answerHeaders('Docker-Content-Digest', digest, 'ETag', `"${digest}"`);

const headersOf = (mediaType: string, size: number, digest: string): string[] =>
  answerHeaders(
    'Content-Type',
    servedAs(mediaType),
    'Content-Length',
    String(size),
    'Docker-Content-Digest',
    digest,
    'ETag',
    `"${digest}"`,
  );

const isFresh = ({ headers }: IncomingMessage, manifest: FoundManifest): boolean => {
  const known = headers['if-none-match'];
  return known !== undefined && known.length < 4096 && (known === '*' || known.includes(`"${manifest.digest}"`));
};

function putManifest(ports: DistributionPorts, name: string, text: string, query: URLSearchParams): WebRoute {
  return {
    name: 'PUT manifest',
    access: repositoryAccess(ports, name, ['ecr:PutImage']),
    handle: async (ctx, call) => {
      const account = accountOf(ports, call);
      const reference = parseReference(text);
      const tags = tagsOf(reference, query);
      const bytes = await readBody(ctx.req, maxManifestBytes);
      const repository = await repositoryForPush(ports, call, account, name, ctx);
      const contentType = ctx.req.headers['content-type'];
      const { digest, subject } = await ports.images.manifests.put({
        account,
        repository,
        bytes,
        tags,
        actor: isReplicated(ctx) ? replicator : call.principal.arn,
        ...(contentType === undefined ? {} : { contentType }),
        ...(reference.kind === 'digest' ? { digest: reference.digest } : {}),
      });
      empty(ctx, 201, {
        Location: `/v2/${name}/manifests/${digest}`,
        'Docker-Content-Digest': digest,
        ...(subject === undefined ? {} : { 'OCI-Subject': subject }),
      });
      if (reference.kind === 'digest' && tags.length > 0) ctx.set('OCI-Tag', [...tags]);
    },
  };
}

/** The tag in the path, or those in `?tag=` beside a digest. */
function tagsOf(reference: Reference, query: URLSearchParams): readonly Tag[] {
  const asked = query.getAll('tag');
  if (reference.kind === 'tag') return [reference.tag];
  if (asked.length > maxTagsPerRequest)
    throw new DistributionError(414, 'UNSUPPORTED', `At most ${maxTagsPerRequest} tags can be given in one request.`);
  return asked.map(parseTag);
}

function deleteManifest(ports: DistributionPorts, name: string, text: string): WebRoute {
  return {
    name: 'DELETE manifest',
    access: repositoryAccess(ports, name, ['ecr:BatchDeleteImage']),
    handle: async (ctx, call) => {
      const account = accountOf(ports, call);
      const { manifests, repositories } = ports.images;
      await repositories.get(account, parseRepositoryName(name));
      const reference = parseReference(text);
      if (reference.kind === 'tag')
        await manifests.removeTag({
          account,
          repository: name,
          tag: reference.tag,
          actor: call.principal.arn,
          whenLast: 'keep',
        });
      else await manifests.remove(account, name, reference.digest, call.principal.arn);
      empty(ctx, 202);
    },
  };
}

/** The caller must be allowed all of `actions` on the repository. */
export function repositoryAccess(
  ports: DistributionPorts,
  name: string,
  actions: readonly [string, ...string[]],
): (call: Call) => Promise<AccessList> {
  return async (call) => {
    const account = accountOf(ports, call);
    const repository = await ports.images.repositories.find(account, parseRepositoryName(name));
    const requestFor = async (action: string): Promise<AccessRequest> => ({
      action,
      resources: [await ports.resources.of(account, name, repository, action)],
    });
    const [first, ...rest] = actions;
    return [await requestFor(first), ...(await Promise.all(rest.map(requestFor)))];
  };
}
