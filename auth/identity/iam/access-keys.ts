import type { Transaction } from '@slipway/storage/records';
import { type AccessKeyEntity, asJson, type UserEntity } from '../entities.ts';
import { keys } from '../keys.ts';
import { limitExceeded, noSuchEntity } from '../errors.ts';
import { newAccessKeyId, newSecret } from '../ids.ts';
import { quotas } from '../limits.ts';
import { need, resourceOf, userNameOf } from './access.ts';
import { put, userIn } from './change.ts';
import { findHolder } from './holders.ts';
import type { Iam, IamOperations } from './iam.ts';
import { pageOfList } from './paging.ts';

async function keyIn(tx: Transaction, user: UserEntity, id: string): Promise<AccessKeyEntity> {
  const key = user.accessKeys.includes(id) ? await tx.get<AccessKeyEntity>(keys.accessKey(id)) : undefined;
  if (key === undefined) throw noSuchEntity(`The Access Key with id ${id} cannot be found.`);
  return key;
}

export function accessKeyOperations(iam: Iam): IamOperations {
  const { random, seal } = iam.accounts.ports;
  return {
    CreateAccessKey: {
      access: async (input, call) =>
        need('CreateAccessKey', await resourceOf.user(iam, call, await userNameOf(iam, call, input.UserName))),
      async handle(input, call) {
        const name = await userNameOf(iam, call, input.UserName);
        const id = newAccessKeyId('AKIA', call.account, random);
        const secret = newSecret(random);
        const key = await iam.transact(call.account, async (tx) => {
          const user = await userIn(tx, name);
          if (user.accessKeys.length >= quotas.accessKeysPerUser) {
            throw limitExceeded(`Cannot exceed quota for AccessKeysPerUser: ${quotas.accessKeysPerUser}`);
          }
          const made: AccessKeyEntity = {
            kind: 'access-key',
            id,
            user: user.name.toLowerCase(),
            userId: user.id,
            status: 'Active',
            created: iam.now(),
            sealed: seal.seal(secret, id),
          };
          put(tx, { ...user, accessKeys: [...user.accessKeys, id] });
          tx.require({ key: keys.accessKey(id), exists: false });
          tx.put(keys.accessKey(id), asJson(made));
          return { UserName: user.name, created: made.created };
        });
        return {
          AccessKey: {
            UserName: key.UserName,
            AccessKeyId: id,
            Status: 'Active',
            SecretAccessKey: secret,
            CreateDate: new Date(key.created),
          },
        };
      },
    },

    ListAccessKeys: {
      access: async (input, call) =>
        need('ListAccessKeys', await resourceOf.user(iam, call, await userNameOf(iam, call, input.UserName))),
      async handle(input, call) {
        const user = await findHolder(iam, call.account, 'user', await userNameOf(iam, call, input.UserName));
        const found = await Promise.all(user.accessKeys.map((id) => iam.find(call.account, keys.accessKey(id))));
        const page = await pageOfList(
          iam,
          call.account,
          ['ListAccessKeys', user.name],
          found.filter((key) => key !== undefined),
          (key) => key.id,
          input,
        );
        return {
          AccessKeyMetadata: page.items.map((key) => ({
            UserName: user.name,
            AccessKeyId: key.id,
            Status: key.status,
            CreateDate: new Date(key.created),
          })),
          ...page.truncation,
        };
      },
    },

    GetAccessKeyLastUsed: {
      access: async (input, call) => {
        const key = await iam.find(call.account, keys.accessKey(input.AccessKeyId ?? ''));
        return need('GetAccessKeyLastUsed', await resourceOf.user(iam, call, key?.user ?? '*'));
      },
      async handle(input, call) {
        const id = input.AccessKeyId ?? '';
        const key = await iam.find(call.account, keys.accessKey(id));
        const user = key === undefined ? undefined : await iam.find(call.account, keys.user(key.user));
        if (user === undefined) throw noSuchEntity(`The Access Key with id ${id} cannot be found.`);
        const used = await iam.uses.find(call.account, id);
        return {
          UserName: user.name,
          // "N/A" is what IAM says of a key that was never used.
          AccessKeyLastUsed: {
            ...(used === undefined ? {} : { LastUsedDate: new Date(used.at) }),
            ServiceName: used?.service ?? 'N/A',
            Region: used?.region ?? 'N/A',
          },
        };
      },
    },

    UpdateAccessKey: {
      access: async (input, call) =>
        need('UpdateAccessKey', await resourceOf.user(iam, call, await userNameOf(iam, call, input.UserName))),
      async handle(input, call) {
        const name = await userNameOf(iam, call, input.UserName);
        const status = input.Status === 'Active' ? 'Active' : 'Inactive';
        await iam.transact(call.account, async (tx) => {
          const key = await keyIn(tx, await userIn(tx, name), input.AccessKeyId ?? '');
          tx.put(keys.accessKey(key.id), asJson({ ...key, status }));
        });
        return {};
      },
    },

    DeleteAccessKey: {
      access: async (input, call) =>
        need('DeleteAccessKey', await resourceOf.user(iam, call, await userNameOf(iam, call, input.UserName))),
      async handle(input, call) {
        const name = await userNameOf(iam, call, input.UserName);
        await iam.transact(call.account, async (tx) => {
          const user = await userIn(tx, name);
          const key = await keyIn(tx, user, input.AccessKeyId ?? '');
          put(tx, { ...user, accessKeys: user.accessKeys.filter((id) => id !== key.id) });
          tx.remove(keys.accessKey(key.id));
        });
        return {};
      },
    },
  };
}
