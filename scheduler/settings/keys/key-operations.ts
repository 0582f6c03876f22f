import { requestTags } from '@slipway/auth/kit';
import { scan } from '@slipway/storage/records';

import { invalidState, unsupported, validation } from './errors.ts';
import {
  checkNotPending,
  find,
  findOwn,
  type KeysOperations,
  mayList,
  mayOn,
  operation,
  type Scene,
} from './operation.ts';
import { boundPolicy, checkLockout } from './policies.ts';
import { keyKeys, type KeyRecord, keysPartition } from './records.ts';
import {
  byKey,
  flag,
  grantTokens,
  list,
  nothing,
  number,
  page,
  pageAnswer,
  refused,
  required,
  struct,
  tags,
  text,
  texts,
  time,
} from './shapes.ts';
import { dayMs, type FoundKey } from './store.ts';
import { keyTags, tagsSent, wireTags } from './tagging.ts';

const symmetric =
  'Only symmetric keys that encrypt are made here (KeySpec SYMMETRIC_DEFAULT, KeyUsage ENCRYPT_DECRYPT).';
const days = { usual: 30, least: 7, most: 30 } as const;

const metadata = struct('KeyMetadata', {
  AWSAccountId: text,
  KeyId: required(text),
  Arn: text,
  CreationDate: time,
  Enabled: flag,
  Description: text,
  KeyUsage: text,
  KeyState: text,
  DeletionDate: time,
  Origin: text,
  KeyManager: text,
  CustomerMasterKeySpec: text,
  KeySpec: text,
  EncryptionAlgorithms: texts,
  MultiRegion: flag,
  CurrentKeyMaterialId: text,
});

/** Keys: made, described, listed, switched, and deleted with a time to think again. */
export const keyOperations: KeysOperations = {
  CreateKey: operation({
    input: struct('CreateKeyRequest', {
      Policy: text,
      Description: text,
      KeyUsage: text,
      CustomerMasterKeySpec: text,
      KeySpec: text,
      Origin: text,
      CustomKeyStoreId: refused(text, 'There are no custom key stores: leave it out.'),
      BypassPolicyLockoutSafetyCheck: flag,
      Tags: tags,
      MultiRegion: refused(flag, 'This installation is one region: leave it out.'),
      XksKeyId: refused(text, 'There are no external key stores: leave it out.'),
    }),
    output: struct('CreateKeyResponse', { KeyMetadata: metadata }),
    bodyBytes: 256 * 1024,
    access: (input, { account }) => [
      {
        action: 'kms:CreateKey',
        resources: [{ arn: '*' }],
        context: {
          'kms:CallerAccount': account,
          'kms:KeySpec': 'SYMMETRIC_DEFAULT',
          'kms:KeyUsage': 'ENCRYPT_DECRYPT',
          'kms:KeyOrigin': 'AWS_KMS',
          'kms:MultiRegion': 'false',
          'kms:BypassPolicyLockoutSafetyCheck': String(input.BypassPolicyLockoutSafetyCheck ?? false),
          ...requestTags(tagsSent(input.Tags)),
        },
      },
      ...((input.Tags ?? []).length === 0
        ? []
        : [{ action: 'kms:TagResource', resources: [{ arn: '*' }], context: requestTags(tagsSent(input.Tags)) }]),
    ],
    handle: async (input, scene) => {
      checkKind(input);
      const { api, account } = scene;
      const id = api.keys.newId();
      const policy = input.Policy === undefined ? undefined : await boundPolicy(scene, input.Policy);
      if (policy !== undefined && input.BypassPolicyLockoutSafetyCheck !== true)
        await checkLockout(scene, api.keys.keyArn(account, { id }), policy);
      const made = { description: input.Description ?? '', tags: keyTags.parse(wireTags(input.Tags)), policy };
      return { KeyMetadata: shown(scene, { account, key: await api.keys.create(account, made, id) }) };
    },
  }),
  DescribeKey: operation({
    input: struct('DescribeKeyRequest', { ...byKey, ...grantTokens }),
    output: struct('DescribeKeyResponse', { KeyMetadata: metadata }),
    access: mayOn('DescribeKey', () => ({}), 'others too'),
    handle: async ({ KeyId }, scene) => ({ KeyMetadata: shown(scene, await find(scene, KeyId)) }),
  }),
  ListKeys: operation({
    input: struct('ListKeysRequest', page),
    output: struct('ListKeysResponse', {
      Keys: list(struct('KeyListEntry', { KeyId: text, KeyArn: text })),
      ...pageAnswer,
    }),
    access: mayList('ListKeys'),
    handle: async (input, { api, account }) => {
      const name = ['ListKeys'];
      const request = { maxResults: input.Limit, nextToken: input.Marker };
      const after = await api.pages.start(account, name, request);
      const rows = scan<KeyRecord>(api.keys.ports.records, keysPartition(account), { prefix: keyKeys.keys, after });
      const { items, nextToken } = await api.pages.page(account, name, request, rows, (key) =>
        api.keys.isOver(key) ? undefined : { KeyId: key.id, KeyArn: api.keys.keyArn(account, key) },
      );
      return {
        Keys: items,
        Truncated: nextToken !== undefined,
        ...(nextToken === undefined ? {} : { NextMarker: nextToken }),
      };
    },
  }),
  EnableKey: operation({
    input: struct('EnableKeyRequest', byKey),
    output: nothing,
    access: mayOn('EnableKey'),
    handle: ({ KeyId }, scene) => turn(scene, KeyId, true),
  }),
  DisableKey: operation({
    input: struct('DisableKeyRequest', byKey),
    output: nothing,
    access: mayOn('DisableKey'),
    handle: ({ KeyId }, scene) => turn(scene, KeyId, false),
  }),
  ScheduleKeyDeletion: operation({
    input: struct('ScheduleKeyDeletionRequest', { ...byKey, PendingWindowInDays: number }),
    output: struct('ScheduleKeyDeletionResponse', {
      KeyId: text,
      DeletionDate: time,
      KeyState: text,
      PendingWindowInDays: number,
    }),
    access: mayOn('ScheduleKeyDeletion', ({ PendingWindowInDays: window }) =>
      window === undefined ? {} : { 'kms:ScheduleKeyDeletionPendingWindowInDays': String(window) },
    ),
    handle: async ({ KeyId, PendingWindowInDays: window = days.usual }, scene) => {
      if (window < days.least || window > days.most)
        throw validation(`PendingWindowInDays must be between ${days.least} and ${days.most} (inclusive).`);
      const { account, key } = await ownById(scene, KeyId);
      const now = scene.call.time.getTime();
      const changed = await scene.api.keys.change(account, key.id, (before) => {
        checkNotPending(scene, before);
        return { ...before, enabled: false, deletionAt: now + window * dayMs };
      });
      return {
        KeyId: scene.api.keys.keyArn(account, key),
        DeletionDate: new Date(changed.deletionAt ?? 0),
        KeyState: 'PendingDeletion',
        PendingWindowInDays: window,
      };
    },
  }),
  CancelKeyDeletion: operation({
    input: struct('CancelKeyDeletionRequest', byKey),
    output: struct('CancelKeyDeletionResponse', { KeyId: text }),
    access: mayOn('CancelKeyDeletion'),
    handle: async ({ KeyId }, scene) => {
      const { account, key } = await ownById(scene, KeyId);
      const arn = scene.api.keys.keyArn(account, key);
      await scene.api.keys.change(account, key.id, (before) => {
        if (before.deletionAt === undefined) throw invalidState(`${arn} is not pending deletion.`);
        const { deletionAt: _, overLooks: __, ...kept } = before;
        return kept;
      });
      return { KeyId: arn };
    },
  }),
  UpdateKeyDescription: operation({
    input: struct('UpdateKeyDescriptionRequest', { ...byKey, Description: required(text) }),
    output: nothing,
    access: mayOn('UpdateKeyDescription'),
    handle: async ({ KeyId, Description }, scene) => {
      const { account, key } = await ownById(scene, KeyId);
      await scene.api.keys.change(account, key.id, (before) => {
        checkNotPending(scene, before);
        return { ...before, description: Description };
      });
      return {};
    },
  }),
};

/** @throws NotFoundException; ValidationException for an alias: what changes a key names the key */
async function ownById(scene: Scene, id: string): Promise<FoundKey> {
  const found = await findOwn(scene, id);
  if (found.alias !== undefined) throw validation(`Invalid KeyId ${id}: this operation takes the id or ARN of a key.`);
  return found;
}

async function turn(scene: Scene, id: string, enabled: boolean): Promise<object> {
  const { account, key } = await ownById(scene, id);
  await scene.api.keys.change(account, key.id, (before) => {
    checkNotPending(scene, before);
    return before.enabled === enabled ? before : { ...before, enabled };
  });
  return {};
}

/** @throws UnsupportedOperationException for every kind of key but one */
function checkKind(input: {
  readonly KeyUsage?: string | undefined;
  readonly KeySpec?: string | undefined;
  readonly CustomerMasterKeySpec?: string | undefined;
  readonly Origin?: string | undefined;
}): void {
  const { KeyUsage: usage, KeySpec: spec = input.CustomerMasterKeySpec, Origin: origin } = input;
  if (input.KeySpec !== undefined && input.CustomerMasterKeySpec !== undefined)
    throw validation(
      'You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.',
    );
  if (spec !== undefined && spec !== 'SYMMETRIC_DEFAULT') throw unsupported(`A key of the spec ${spec}`, symmetric);
  if (usage !== undefined && usage !== 'ENCRYPT_DECRYPT') throw unsupported(`A key for ${usage}`, symmetric);
  if (origin !== undefined && origin !== 'AWS_KMS')
    throw unsupported(
      `A key of the origin ${origin}`,
      'Materials are made here and are not imported: leave Origin out.',
    );
}

function shown({ api }: Scene, { account, key }: FoundKey) {
  return {
    AWSAccountId: account,
    KeyId: key.id,
    Arn: api.keys.keyArn(account, key),
    CreationDate: new Date(key.createdAt),
    Enabled: key.enabled && key.deletionAt === undefined,
    Description: key.description,
    KeyUsage: 'ENCRYPT_DECRYPT',
    KeyState: key.deletionAt === undefined ? (key.enabled ? 'Enabled' : 'Disabled') : 'PendingDeletion',
    ...(key.deletionAt === undefined ? {} : { DeletionDate: new Date(key.deletionAt) }),
    Origin: 'AWS_KMS',
    KeyManager: key.service === undefined ? 'CUSTOMER' : 'AWS',
    CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
    KeySpec: 'SYMMETRIC_DEFAULT',
    EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
    MultiRegion: false,
    CurrentKeyMaterialId: key.materials.at(-1)?.id,
  };
}
