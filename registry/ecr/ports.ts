import type { AccessList, AccessRequest, Authorizer, Call, PolicyPrincipals } from '@slipway/auth/contract';
import type { Targets } from '../replication/index.ts';
import type { Upstreams } from '../upstreams/index.ts';
import type { PullPolicy } from '../scanning/index.ts';
import { type Images, parseRepositoryName, type RepositoryName, type Resources } from '../images/index.ts';

/** What the ECR API needs from elsewhere. */
export interface EcrOptions {
  readonly images: Images;
  readonly region: string;
  /** The gateway's own; tells whether a policy would lock its author out. */
  readonly authorizer: Authorizer;
  /** Whether findings of a scan forbid pulls. */
  readonly policy: PullPolicy;
  /** Makes the token that GetAuthorizationToken answers (base64 of `AWS:<password>`) for the caller. */
  readonly issueToken: (call: Call) => Promise<{ readonly token: string; readonly expiresAt: number }>;
  /** Registries that pull-through cache rules lead to. Default: no such rule can be made. */
  readonly upstreams?: Upstreams;
  /** The installations that images can be replicated to. Default: none. */
  readonly replication?: Pick<Targets, 'has'>;
  /** Replaces names of users and roles in policies by their unique ids, and back. */
  readonly principals: PolicyPrincipals;
}

export interface EcrPorts extends EcrOptions {
  readonly resources: Resources;
}

/** Members that say which registry an operation is about. */
interface OfRegistry {
  readonly registryId?: string | undefined;
}

/** The account whose registry is meant: the caller's own unless another one is named. */
export const registryOf = (input: OfRegistry, call: Call): string => input.registryId ?? call.account;

/** The caller must be allowed the operation on the repository it names. */
export const onRepository =
  (ports: EcrPorts, action: string) =>
  async (input: OfRegistry & { readonly repositoryName?: string | undefined }, call: Call): Promise<AccessList> => [
    await repositoryRequest(ports, action, registryOf(input, call), input.repositoryName ?? ''),
  ];

export async function repositoryRequest(
  ports: EcrPorts,
  action: string,
  account: string,
  text: string,
): Promise<AccessRequest> {
  const name = parseRepositoryName(text);
  const qualified = `ecr:${action}`;
  return { action: qualified, resources: [await ports.resources.find(account, name, qualified)] };
}

/** The caller must be allowed the operation on the registry as a whole. */
export const onRegistry = (action: string) => (): AccessList => [
  { action: `ecr:${action}`, resources: [{ arn: '*' }] },
];

/** The name as the domain takes it. */
export const nameOf = (input: { readonly repositoryName?: string | undefined }): RepositoryName =>
  parseRepositoryName(input.repositoryName ?? '');

export interface Target {
  readonly account: string;
  readonly name: RepositoryName;
}

export const targetOf = (input: OfRegistry & { readonly repositoryName?: string | undefined }, call: Call): Target => ({
  account: registryOf(input, call),
  name: nameOf(input),
});
