import { type Authorizer, type Call, GatewayError } from '@slipway/auth/contract';
import type Koa from 'koa';
import {
  type Images,
  parseRepositoryName,
  type RepositoryName,
  type RepositoryRecord,
  type Resources,
} from '../images/index.ts';
import { replicatedFrom } from '../replication/index.ts';
import type { PullPolicy } from '../scanning/index.ts';
import type { Templates } from '../templates/index.ts';
import type { Upstreams } from '../upstreams/index.ts';
import type { Redirects } from './redirects.ts';

/** What the routes share. */
export interface DistributionPorts {
  readonly images: Images;
  readonly authorizer: Authorizer;
  readonly resources: Resources;
  /** The account whose repositories callers without an account see. */
  readonly defaultAccount: string;
  readonly redirects: Redirects | undefined;
  readonly templates: Templates;
  /** Whether findings of a scan forbid pulls. */
  readonly policy: PullPolicy;
  /** Registries that pull-through cache rules lead to. */
  readonly upstreams: Upstreams | undefined;
}

/** The account whose registry a call is about: there is one registry per account, and callers work in their own. */
export const accountOf = (ports: DistributionPorts, call: Call): string => call.account || ports.defaultAccount;

/** Whether the caller may do all of these to a repository. For what a route does beyond the access it declares. */
export async function may(
  ports: DistributionPorts,
  call: Call,
  account: string,
  name: string,
  repository: RepositoryRecord | undefined,
  actions: readonly string[],
): Promise<boolean> {
  for (const action of actions) {
    const resource = await ports.resources.of(account, name, repository, action);
    const decision = await ports.authorizer.authorize(call.principal, { action, resources: [resource] }, call);
    if (!decision.allowed) return false;
  }
  return true;
}

/** The repository that is pushed into. Made on the spot when there is none, the registry's setting allows it and the caller may. */
export async function repositoryForPush(
  ports: DistributionPorts,
  call: Call,
  account: string,
  text: string,
  ctx: Koa.Context,
): Promise<RepositoryName> {
  const { repositories } = ports.images;
  const name = parseRepositoryName(text);
  const replicated = isReplicated(ctx);
  if (replicated && !(await may(ports, call, account, name, undefined, ['ecr:ReplicateImage'])))
    throw new GatewayError('denied', `You are not allowed to replicate into '${name}' (ecr:ReplicateImage).`);
  if ((await repositories.find(account, name)) !== undefined) return name;
  const { createOnPush } = await repositories.registry(account);
  if (createOnPush === false) return name;
  if (!(await may(ports, call, account, name, undefined, ['ecr:CreateRepository']))) {
    throw new GatewayError(
      'denied',
      `The repository '${name}' does not exist, and you are not allowed to create it (ecr:CreateRepository).`,
    );
  }
  await ports.templates.ensure(account, name, replicated ? 'REPLICATION' : 'CREATE_ON_PUSH', call.principal.arn);
  return name;
}

/** Whether another installation sends what was pushed there. */
export const isReplicated = (ctx: Koa.Context): boolean => ctx.req.headers[replicatedFrom] !== undefined;

/** Headers every answer under `/v2/` carries. */
export function begin(ctx: Koa.Context, status: number, headers: Readonly<Record<string, string>> = {}): void {
  ctx.status = status;
  ctx.set('Docker-Distribution-API-Version', 'registry/2.0');
  ctx.set(headers);
}

/** An answer without a body, which says so. */
export function empty(ctx: Koa.Context, status: number, headers: Readonly<Record<string, string>> = {}): void {
  begin(ctx, status, headers);
  ctx.body = '';
  ctx.remove('Content-Type');
  if (status !== 204 && status !== 304) ctx.set('Content-Length', '0');
}

/** What every answer to a hot read says, as names and values in turn. */
export const answerHeaders = (...more: string[]): string[] => [
  'Docker-Distribution-API-Version',
  'registry/2.0',
  ...more,
];
