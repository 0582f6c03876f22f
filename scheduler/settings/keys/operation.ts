import type {
  AccessList,
  AccessRequest,
  Authorizer,
  ConditionContext,
  PolicyPrincipals,
  ResourceRef,
} from '@slipway/auth/contract';
import {
  type ApiOperation,
  type ApiOperations,
  type Declared,
  declareOperation,
  type Pages,
  parseArn,
  type SceneOf,
} from '@slipway/auth/kit';

import type { EncryptionContext } from './ciphertext.ts';
import { invalidState, noKey, notFound, unsupported } from './errors.ts';
import type { KeyRecord } from './records.ts';
import { operationSchema } from './shapes.ts';
import type { FoundKey, Keys } from './store.ts';

/** What the operations work with. */
export interface KeysApi {
  readonly keys: Keys;
  readonly region: string;
  readonly pages: Pages;
  readonly principals: PolicyPrincipals;
  /** Tells whether a new policy locks its caller out. */
  readonly authorizer: Authorizer;
}

export type Scene = SceneOf<KeysApi>;
export type KeysOperations = ApiOperations<KeysApi>;

/** Declares an operation. */
export const operation = <I, O>(declared: Declared<KeysApi, I, O>): ApiOperation<KeysApi> =>
  declareOperation({ operationSchema, unsupported }, declared);

/** Who else's keys an operation may be about (KMS developer guide, "KMS permissions": cross-account use). */
export type Reach = 'own' | 'others too';

/** What policies can say about a key (service authorization reference, "AWS Key Management Service"), whatever is done with it. */
export function keyContext({ key, alias }: Omit<FoundKey, 'account'>): ConditionContext {
  return {
    'kms:KeySpec': 'SYMMETRIC_DEFAULT',
    'kms:KeyUsage': 'ENCRYPT_DECRYPT',
    'kms:KeyOrigin': 'AWS_KMS',
    'kms:MultiRegion': 'false',
    ...(key.aliases.length === 0 ? {} : { 'kms:ResourceAliases': key.aliases }),
    ...(alias === undefined ? {} : { 'kms:RequestAlias': alias }),
  };
}

/** A key as policies are asked about it: without its own policy's word nobody may do anything with it. */
export const keyResource = (keys: Keys, found: FoundKey): ResourceRef => ({
  arn: keys.keyArn(found.account, found.key),
  tags: found.key.tags,
  policy: found.key.policy,
  policyDecides: true,
});

/** Condition keys of an encryption context. */
export const contextKeys = (context: EncryptionContext | undefined): ConditionContext => {
  const pairs = Object.entries(context ?? {});
  if (pairs.length === 0) return {};
  return {
    'kms:EncryptionContextKeys': pairs.map(([key]) => key),
    ...Object.fromEntries(pairs.map(([key, value]) => [`kms:EncryptionContext:${key}`, value])),
  };
};

/** `kms:<action>` on a key; one that is not there is asked for as it was written. */
export async function accessTo(
  { api, account }: Scene,
  action: string,
  id: string,
  context: ConditionContext = {},
  reach: Reach = 'own',
): Promise<AccessRequest> {
  const found = await api.keys.find(account, id);
  const caller = { 'kms:CallerAccount': account };
  if (found === undefined || (reach === 'own' && found.account !== account)) {
    const arn = parseArn(id) === undefined ? api.keys.arn(account, id.startsWith('alias/') ? id : `key/${id}`) : id;
    return { action: `kms:${action}`, resources: [{ arn }], context: { ...caller, ...context } };
  }
  return {
    action: `kms:${action}`,
    resources: [keyResource(api.keys, found)],
    context: { ...caller, ...keyContext(found), ...context },
  };
}

export const mayOn =
  <I extends { readonly KeyId: string }>(
    action: string,
    contextOf: (input: NoInfer<I>) => ConditionContext = () => ({}),
    reach: Reach = 'own',
  ) =>
  async (input: I, scene: Scene): Promise<AccessList> => [
    await accessTo(scene, action, input.KeyId, contextOf(input), reach),
  ];

/** Access to what is of no key. */
export const mayList =
  (action: string) =>
  (_input?: unknown, scene?: Scene): AccessList => [
    {
      action: `kms:${action}`,
      resources: [{ arn: '*' }],
      ...(scene === undefined ? {} : { context: { 'kms:CallerAccount': scene.account } }),
    },
  ];

/** @throws NotFoundException */
export async function find({ api, account }: Scene, id: string): Promise<FoundKey> {
  const found = await api.keys.find(account, id);
  if (found !== undefined) return found;
  const arn = id.startsWith('arn:') ? id : api.keys.arn(account, id.startsWith('alias/') ? id : `key/${id}`);
  if (parseArn(arn)?.resource.startsWith('alias/') === true) throw notFound(`Alias ${arn} is not found.`);
  throw noKey(arn);
}

/** As {@link find}, for what is done to keys of one's own by their ids alone. @throws NotFoundException, ValidationException */
export async function findOwn(scene: Scene, id: string): Promise<FoundKey> {
  const found = await find(scene, id);
  if (found.account !== scene.account) throw noKey(id);
  return found;
}

/** @throws KMSInvalidStateException */
export function checkNotPending({ api, account }: Scene, key: KeyRecord): void {
  if (key.deletionAt !== undefined) throw invalidState(`${api.keys.keyArn(account, key)} is pending deletion.`);
}
