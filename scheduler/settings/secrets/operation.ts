import type { AccessList, AccessRequest, Authorizer, ConditionContext, PolicyPrincipals } from '@slipway/auth/contract';
import {
  type ApiOperation,
  type ApiOperations,
  arnOf,
  type Declared,
  declareOperation,
  type Pages,
  type SceneOf,
  tagList,
} from '@slipway/auth/kit';

import type { RandomBytes } from '../../state/index.ts';

import { notFound, unsupported } from './errors.ts';
import type { SecretRecord } from './records.ts';
import type { RotationTargets } from './rotation-port.ts';
import { operationSchema } from './shapes.ts';
import type { Secrets } from './store.ts';

/** What the operations work with. */
export interface SecretsApi {
  readonly secrets: Secrets;
  readonly region: string;
  readonly random: RandomBytes;
  readonly pages: Pages;
  readonly principals: PolicyPrincipals;
  /** What secrets are rotated by. */
  readonly rotation: RotationTargets;
  /** For what one request asks of many secrets. */
  readonly authorizer: Authorizer;
}

export type Scene = SceneOf<SecretsApi>;
export type SecretsOperations = ApiOperations<SecretsApi>;

/** Declares an operation. */
export const operation = <I, O>(declared: Declared<SecretsApi, I, O>): ApiOperation<SecretsApi> =>
  declareOperation({ operationSchema, unsupported }, declared);

/** @throws ResourceNotFoundException */
export async function find({ api, account }: Scene, id: string): Promise<SecretRecord> {
  const found = await api.secrets.find(account, id);
  if (found === undefined) throw notFound();
  return found;
}

/** What answers begin with. */
export const namesOf = ({ api, account }: Scene, secret: SecretRecord) => ({
  ARN: api.secrets.arn(account, secret),
  Name: secret.name,
});

/** What is said of a secret wherever it is described or listed. */
export const described = ({ description, kmsKey, tags: own, createdAt, changedAt, deletedAt }: SecretRecord) => ({
  ...(kmsKey === undefined ? {} : { KmsKeyId: kmsKey }),
  ...(description === undefined ? {} : { Description: description }),
  ...(deletedAt === undefined ? {} : { DeletedDate: new Date(deletedAt) }),
  Tags: tagList(own),
  CreatedDate: new Date(createdAt),
  LastChangedDate: new Date(changedAt),
});

/** The ARN that policies are asked about for a secret that has none yet. */
export const secretArn = ({ region, account }: Pick<Scene, 'region' | 'account'>, name: string): string =>
  arnOf({ service: 'secretsmanager', region, account, resource: `secret:${name}` });

/** `secretsmanager:<action>` on a secret. */
export const accessTo = (
  { api, account }: Scene,
  action: string,
  id: string,
  context: ConditionContext = {},
): Promise<AccessRequest> => api.secrets.access(account, action, id, context);

export const mayOn =
  <I extends { readonly SecretId: string }>(
    action: string,
    contextOf: (input: NoInfer<I>) => ConditionContext = () => ({}),
  ) =>
  async (input: I, scene: Scene): Promise<AccessList> => [
    await accessTo(scene, action, input.SecretId, contextOf(input)),
  ];

/** Access to what is of no secret. */
export const mayList = (action: string) => (): AccessList => [
  { action: `secretsmanager:${action}`, resources: [{ arn: '*' }] },
];
