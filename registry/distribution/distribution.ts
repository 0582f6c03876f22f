import { type Authorizer, GatewayError, type WebRoute, type WebService } from '@slipway/auth/contract';
import { createResources, type Images } from '../images/index.ts';
import { createTemplates } from '../templates/index.ts';
import type { Upstreams } from '../upstreams/index.ts';
import { blobRoute } from './blobs.ts';
import { renderError } from './errors.ts';
import { empty, type DistributionPorts } from './exchange.ts';
import { catalogRoute, referrersRoute, tagsRoute } from './lists.ts';
import { manifestRoute } from './manifests.ts';
import { parsePath, type Target } from './path.ts';
import type { PullPolicy } from '../scanning/index.ts';
import type { Redirects } from './redirects.ts';
import { uploadRoute, uploadsRoute } from './uploads.ts';

export interface DistributionOptions {
  readonly images: Images;
  /** The gateway's own, for what a route does beyond the access it declares (mount sources, catalog, create on push). */
  readonly authorizer: Authorizer;
  /** The account whose repositories callers without an account see. */
  readonly defaultAccount: string;
  readonly region: string;
  /** Default: every blob is served through this server. */
  readonly redirects?: Redirects;
  /** Whether findings of a scan forbid a pull. */
  readonly policy: PullPolicy;
  /** Registries that pull-through cache rules lead to. Default: none. */
  readonly upstreams?: Upstreams;
}

/** The OCI Distribution API (specification 1.1 and what its main branch adds) under `/v2/`. */
export function createDistribution(options: DistributionOptions): WebService {
  const resources = createResources(options.images, options.region);
  const ports: DistributionPorts = {
    ...options,
    resources,
    redirects: options.redirects,
    templates: createTemplates(options.images),
    upstreams: options.upstreams,
  };
  return {
    name: 'distribution',
    prefix: '/v2/',
    authentication: 'docker',
    samples,
    route(method, path, query) {
      const target = parsePath(path);
      return target && (routeFor(ports, method, target, query) ?? unsupported(method));
    },
    renderError,
  };
}

function routeFor(
  ports: DistributionPorts,
  method: string,
  target: Target,
  query: URLSearchParams,
): WebRoute | undefined {
  const reads = method === 'GET' || method === 'HEAD';
  switch (target.kind) {
    case 'ping':
      return reads ? { name: 'GET ping', access: 'authenticated', handle: async (ctx) => empty(ctx, 200) } : undefined;
    case 'catalog':
      return reads ? catalogRoute(ports, query) : undefined;
    case 'tags':
      return reads ? tagsRoute(ports, target.repository, query) : undefined;
    case 'referrers':
      return reads ? referrersRoute(ports, target.repository, target.digest, query) : undefined;
    case 'manifest':
      return manifestRoute(ports, method, target.repository, target.reference, query);
    case 'blob':
      return blobRoute(ports, method, target.repository, target.digest);
    case 'uploads':
      return uploadsRoute(ports, method, target.repository, query);
    case 'upload':
      return uploadRoute(ports, method, target.repository, target.id, query);
  }
}

const unsupported = (method: string): WebRoute => ({
  name: 'unsupported',
  access: 'authenticated',
  handle: () => Promise.reject(new GatewayError('method-not-allowed', `${method} is not possible here.`)),
});

const someDigest = `sha256:${'0'.repeat(64)}`;

/** One request for each route, for the front door's own check that all of them declare an access. */
const samples = [
  { method: 'GET', path: '/v2/' },
  { method: 'GET', path: '/v2/_catalog' },
  { method: 'GET', path: '/v2/team/web/tags/list' },
  { method: 'GET', path: `/v2/team/web/referrers/${someDigest}` },
  ...['GET', 'HEAD', 'PUT', 'DELETE'].map((method) => ({ method, path: '/v2/team/web/manifests/latest' })),
  ...['GET', 'HEAD', 'DELETE'].map((method) => ({ method, path: `/v2/team/web/blobs/${someDigest}` })),
  { method: 'POST', path: '/v2/team/web/blobs/uploads/' },
  ...['GET', 'PATCH', 'PUT', 'DELETE'].map((method) => ({ method, path: '/v2/team/web/blobs/uploads/00000000-0000' })),
];
