import { setImmediate as nextTurn } from 'node:timers/promises';
import { mediaTypes, parseDigest, parseRepositoryName, repositoryPages } from '../images/index.ts';
import type { Call, WebRoute } from '@slipway/auth/contract';
import { DistributionError } from './errors.ts';
import { accountOf, begin, may, type DistributionPorts } from './exchange.ts';
import { repositoryAccess } from './manifests.ts';
import { referrersUpstream, withUpstream } from './upstream-referrers.ts';

const maxPage = 1000;

/** Route of `/v2/<name>/tags/list`. */
export function tagsRoute(ports: DistributionPorts, name: string, query: URLSearchParams): WebRoute {
  return {
    name: 'GET tags',
    access: repositoryAccess(ports, name, ['ecr:ListImages']),
    handle: async (ctx, call) => {
      const { images } = ports;
      const account = accountOf(ports, call);
      const repository = parseRepositoryName(name);
      await images.repositories.get(account, repository);
      const limit = pageSize(query);
      const last = query.get('last') ?? '';
      const page =
        limit === 0
          ? { tags: [], more: false }
          : await images.manifests.tags(account, repository, { limit, after: boundedText(last) });
      begin(ctx, 200);
      if (page.more)
        ctx.set('Link', nextLink(`/v2/${name}/tags/list`, { n: String(limit), last: page.tags.at(-1) ?? '' }));
      ctx.body = { name, tags: page.tags };
    },
  };
}

/** Route of `/v2/_catalog`: only what the caller may see. */
export function catalogRoute(ports: DistributionPorts, query: URLSearchParams): WebRoute {
  return {
    name: 'GET catalog',
    access: 'authenticated',
    scopes: [{ type: 'registry', name: 'catalog', actions: ['*'] }],
    handle: async (ctx, call) => {
      const limit = pageSize(query);
      const { names, more } =
        limit === 0
          ? { names: [], more: false }
          : await visible(ports, call, limit, boundedText(query.get('last') ?? ''));
      begin(ctx, 200);
      if (more) ctx.set('Link', nextLink('/v2/_catalog', { n: String(limit), last: names.at(-1) ?? '' }));
      ctx.body = { repositories: names };
    },
  };
}

async function visible(
  ports: DistributionPorts,
  call: Call,
  limit: number,
  last: string,
): Promise<{ names: string[]; more: boolean }> {
  const account = accountOf(ports, call);
  const names: string[] = [];
  const from = { after: last === '' ? undefined : last, limit: maxPage };
  for await (const page of repositoryPages(ports.images, account, from)) {
    for (const repository of page.repositories) {
      if (!(await may(ports, call, account, repository.name, repository, ['ecr:DescribeRepositories']))) continue;
      if (names.length === limit) return { names, more: true };
      names.push(repository.name);
    }
    // Who may see little has much looked at for them: others get their turn meanwhile, and nobody goes on for a client that left.
    await nextTurn();
    call.signal.throwIfAborted();
  }
  return { names, more: false };
}

/** Route of `/v2/<name>/referrers/<digest>`. What nothing refers to, or is not known at all, has an empty list. */
export function referrersRoute(
  ports: DistributionPorts,
  name: string,
  digest: string,
  query: URLSearchParams,
): WebRoute {
  return {
    name: 'GET referrers',
    access: repositoryAccess(ports, name, ['ecr:BatchGetImage']),
    handle: async (ctx, call) => {
      const account = accountOf(ports, call);
      const subject = parseDigest(digest);
      const artifactTypes = query.getAll('artifactType').filter((type) => type !== '');
      const limit = pageSize(query) || maxPage;
      const last = query.get('last');
      const asked = {
        limit,
        ...(last === null ? {} : { after: boundedText(last) }),
        ...(artifactTypes.length > 0 ? { artifactTypes } : {}),
      };
      const here = await ports.images.manifests.referrers(account, parseRepositoryName(name), subject, asked);
      const page = withUpstream(here, await referrersUpstream(ports, call, name, subject), asked);
      begin(ctx, 200);
      if (artifactTypes.length > 0) ctx.set('OCI-Filters-Applied', 'artifactType');
      if (page.next !== undefined) {
        const parameters = new URLSearchParams({ n: String(limit), last: page.next });
        for (const type of artifactTypes) parameters.append('artifactType', type);
        ctx.set('Link', `</v2/${name}/referrers/${digest}?${parameters.toString()}>; rel="next"`);
      }
      ctx.body = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: page.referrers });
      ctx.set('Content-Type', mediaTypes.ociIndex);
    },
  };
}

/** `n`, at most 1000; 0 asks for an empty page. */
function pageSize(query: URLSearchParams): number {
  const text = query.get('n');
  if (text === null || text === '') return maxPage;
  if (!/^\d{1,16}$/.test(text)) throw new DistributionError(400, 'UNSUPPORTED', 'n must be a number from 0 on.');
  return Math.min(Number(text), maxPage);
}

/** `last` need not exist, but nothing that is listed is longer than this or holds such characters. */
function boundedText(text: string): string {
  if (text.length > 300 || !/^[\x21-\x7b\x7d-\x7e]*$/.test(text))
    throw new DistributionError(400, 'UNSUPPORTED', 'last must be the last entry of a page.');
  return text;
}

const nextLink = (path: string, parameters: Record<string, string>): string =>
  `<${path}?${new URLSearchParams(parameters).toString()}>; rel="next"`;
