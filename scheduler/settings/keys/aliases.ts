import { AwsError } from '@slipway/auth/contract';
import { type Row, rowsOf } from '@slipway/auth/kit';
import { hasRoom, scanAll } from '@slipway/storage/records';

import { toJson } from '../../state/index.ts';

import { alreadyExists, limitExceeded, noKey, notFound } from './errors.ts';
import {
  accessTo,
  checkNotPending,
  findOwn,
  type KeysOperations,
  mayList,
  operation,
  type Scene,
} from './operation.ts';
import { type AliasRecord, keyKeys, type KeyRecord, keysPartition, managedAlias, managedServices } from './records.ts';
import { list, nothing, page, pageAnswer, required, struct, text, time } from './shapes.ts';

const mostOfKey = 50;
const mostOfAccount = 10_000;
const toKey = { AliasName: required(text), TargetKeyId: required(text) } as const;

/** Names of keys. */
export const aliasOperations: KeysOperations = {
  CreateAlias: operation({
    input: struct('CreateAliasRequest', toKey),
    output: nothing,
    access: async ({ AliasName, TargetKeyId }, scene) => [
      aliasAccess(scene, 'CreateAlias', AliasName),
      await accessTo(scene, 'CreateAlias', TargetKeyId),
    ],
    handle: async ({ AliasName: name, TargetKeyId }, scene) => {
      checkAlias(name);
      const { api, account, call } = scene;
      const target = await findOwn(scene, TargetKeyId);
      await api.keys.transact(account, async (tx) => {
        if ((await tx.get(keyKeys.alias(name))) !== undefined) throw alreadyExists(api.keys.arn(account, name));
        if (!(await hasRoom(tx, keyKeys.aliases, mostOfAccount)))
          throw limitExceeded(`An account has at most ${mostOfAccount} aliases.`);
        const key = await targetOf(scene, tx, target.key.id);
        const now = call.time.getTime();
        const row: AliasRecord = { name, keyId: key.id, createdAt: now, updatedAt: now };
        tx.put(keyKeys.alias(name), toJson(row));
        tx.put(keyKeys.key(key.id), toJson({ ...key, aliases: [...key.aliases, name] }));
      });
      return {};
    },
  }),
  UpdateAlias: operation({
    input: struct('UpdateAliasRequest', toKey),
    output: nothing,
    access: async ({ AliasName, TargetKeyId }, scene) => [
      aliasAccess(scene, 'UpdateAlias', AliasName),
      ...(await ofKeyNow(scene, 'UpdateAlias', AliasName)),
      await accessTo(scene, 'UpdateAlias', TargetKeyId),
    ],
    handle: async ({ AliasName: name, TargetKeyId }, scene) => {
      checkAlias(name);
      const { api, account, call } = scene;
      const target = await findOwn(scene, TargetKeyId);
      await api.keys.transact(account, async (tx) => {
        const before = await tx.get<AliasRecord>(keyKeys.alias(name));
        if (before === undefined) throw noAlias(scene, name);
        if (before.keyId === target.key.id) return;
        const key = await targetOf(scene, tx, target.key.id);
        const old = await tx.get<KeyRecord>(keyKeys.key(before.keyId));
        if (old !== undefined) tx.put(keyKeys.key(old.id), toJson(withoutAlias(old, name)));
        tx.put(keyKeys.alias(name), toJson({ ...before, keyId: key.id, updatedAt: call.time.getTime() }));
        tx.put(keyKeys.key(key.id), toJson({ ...key, aliases: [...key.aliases, name] }));
      });
      return {};
    },
  }),
  DeleteAlias: operation({
    input: struct('DeleteAliasRequest', { AliasName: required(text) }),
    output: nothing,
    access: async ({ AliasName }, scene) => [
      aliasAccess(scene, 'DeleteAlias', AliasName),
      ...(await ofKeyNow(scene, 'DeleteAlias', AliasName)),
    ],
    handle: async ({ AliasName: name }, scene) => {
      checkAlias(name);
      await scene.api.keys.transact(scene.account, async (tx) => {
        const before = await tx.get<AliasRecord>(keyKeys.alias(name));
        if (before === undefined) throw noAlias(scene, name);
        const key = await tx.get<KeyRecord>(keyKeys.key(before.keyId));
        if (key !== undefined) tx.put(keyKeys.key(key.id), toJson(withoutAlias(key, name)));
        tx.remove(keyKeys.alias(name));
      });
      return {};
    },
  }),
  ListAliases: operation({
    input: struct('ListAliasesRequest', { KeyId: text, ...page }),
    output: struct('ListAliasesResponse', {
      Aliases: list(
        struct('AliasListEntry', {
          AliasName: text,
          AliasArn: text,
          TargetKeyId: text,
          CreationDate: time,
          LastUpdatedDate: time,
        }),
      ),
      ...pageAnswer,
    }),
    access: mayList('ListAliases'),
    handle: async (input, scene) => {
      const { api, account } = scene;
      const wanted = input.KeyId === undefined ? undefined : (await findOwn(scene, input.KeyId)).key.id;
      const name = ['ListAliases', wanted];
      const request = { maxResults: input.Limit, nextToken: input.Marker };
      const stored = await scanAll<AliasRecord>(api.keys.ports.records, keysPartition(account), {
        prefix: keyKeys.aliases,
      });
      const known = new Map<string, Partial<AliasRecord>>(stored.map(({ value }) => [value.name, value]));
      // Those of services are there before the keys that they stand for.
      for (const service of managedServices)
        if (!known.has(managedAlias(service))) known.set(managedAlias(service), {});
      const rows: Row<readonly [string, Partial<AliasRecord>]>[] = rowsOf(
        [...known],
        ([alias]) => alias,
        await api.pages.start(account, name, request),
      );
      const { items, nextToken } = await api.pages.page(account, name, request, rows, ([alias, row]) =>
        wanted !== undefined && row.keyId !== wanted
          ? undefined
          : {
              AliasName: alias,
              AliasArn: api.keys.arn(account, alias),
              ...(row.keyId === undefined ? {} : { TargetKeyId: row.keyId }),
              ...(row.createdAt === undefined ? {} : { CreationDate: new Date(row.createdAt) }),
              ...(row.updatedAt === undefined ? {} : { LastUpdatedDate: new Date(row.updatedAt) }),
            },
      );
      return {
        Aliases: items,
        Truncated: nextToken !== undefined,
        ...(nextToken === undefined ? {} : { NextMarker: nextToken }),
      };
    },
  }),
};

type Transaction = Parameters<Parameters<Scene['api']['keys']['transact']>[1]>[0];

const withoutAlias = (key: KeyRecord, name: string): KeyRecord => ({
  ...key,
  aliases: key.aliases.filter((one) => one !== name),
});

const noAlias = ({ api, account }: Scene, name: string): AwsError =>
  notFound(`Alias ${api.keys.arn(account, name)} is not found.`);

/** `kms:<action>` on an alias takes the same on its key. */
const aliasAccess = ({ api, account }: Scene, action: string, name: string) => ({
  action: `kms:${action}`,
  resources: [{ arn: api.keys.arn(account, name) }] as const,
  context: { 'kms:CallerAccount': account },
});

/** The same on the key that an alias stands for now, where there is one. */
async function ofKeyNow(scene: Scene, action: string, name: string) {
  const { api, account } = scene;
  const row = await api.keys.ports.records.get<AliasRecord>(keysPartition(account), keyKeys.alias(name));
  return row === undefined ? [] : [await accessTo(scene, action, row.value.keyId)];
}

/** @throws NotFoundException, KMSInvalidStateException, LimitExceededException */
async function targetOf(scene: Scene, tx: Transaction, id: string): Promise<KeyRecord> {
  const key = await tx.get<KeyRecord>(keyKeys.key(id));
  if (key === undefined || scene.api.keys.isOver(key)) throw noKey(scene.api.keys.keyArn(scene.account, { id }));
  checkNotPending(scene, key);
  if (key.aliases.length >= mostOfKey) throw limitExceeded(`A key has at most ${mostOfKey} aliases.`);
  return key;
}

/** @throws InvalidAliasNameException, NotAuthorizedException */
function checkAlias(name: string): void {
  if (!/^alias\/[a-zA-Z0-9/_-]+$/.test(name))
    throw new AwsError(
      'InvalidAliasNameException',
      'Alias must start with the prefix "alias/", followed by letters, digits, slashes, underscores and dashes.',
    );
  if (name.startsWith('alias/aws/'))
    throw new AwsError('NotAuthorizedException', 'Names that begin with alias/aws/ are those of AWS managed keys.');
}
