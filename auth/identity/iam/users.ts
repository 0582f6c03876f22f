import type { Transaction } from '@slipway/storage/records';
import { type AccessKeyEntity, asJson, type UserEntity } from '../entities.ts';
import { keys } from '../keys.ts';
import { alreadyExists, deleteConflict, noSuchEntity } from '../errors.ts';
import { uniqueId } from '../ids.ts';
import { requestTags } from '../../kit/index.ts';
import { iamTags } from '../tags.ts';
import { need, needAccount, newEntity, resourceOf, userNameOf } from './access.ts';
import { boundaryContext, checkBoundary } from './boundaries.ts';
import { put, userIn } from './change.ts';
import type { Iam, IamOperations } from './iam.ts';
import { pageOfRecords } from './paging.ts';
import { showUser, showUserBriefly } from './show.ts';

export function userOperations(iam: Iam): IamOperations {
  const { random } = iam.accounts.ports;
  return {
    CreateUser: {
      access: (input, call) =>
        need('CreateUser', newEntity(call, 'user', input.UserName, input.Path), {
          ...requestTags(iamTags.parse(input.Tags)),
          ...boundaryContext(input.PermissionsBoundary),
        }),
      async handle(input, call) {
        const name = input.UserName ?? '';
        const user: UserEntity = {
          kind: 'user',
          name,
          path: input.Path ?? '/',
          id: uniqueId('AIDA', random),
          created: iam.now(),
          tags: iamTags.parse(input.Tags),
          attached: [],
          inline: {},
          groups: [],
          accessKeys: [],
          ...(input.PermissionsBoundary === undefined ? {} : { boundary: input.PermissionsBoundary }),
        };
        await iam.transact(call.account, async (tx) => {
          if ((await tx.get(keys.user(name))) !== undefined)
            throw alreadyExists(`User with name ${name} already exists.`);
          if (user.boundary !== undefined) {
            await checkBoundary(tx, call.account, user.boundary);
            tx.put(keys.boundary(user.boundary, keys.user(name)), true);
          }
          put(tx, user);
        });
        return { User: showUser(call.account, user) };
      },
    },

    GetUser: {
      access: async (input, call) =>
        need('GetUser', await resourceOf.user(iam, call, await userNameOf(iam, call, input.UserName))),
      async handle(input, call) {
        const name = await userNameOf(iam, call, input.UserName);
        const user = await iam.find(call.account, keys.user(name));
        if (user === undefined) throw noSuchEntity(`The user with name ${name} cannot be found.`);
        return { User: showUser(call.account, user) };
      },
    },

    ListUsers: {
      access: (input, call) => need('ListUsers', newEntity(call, 'user', '', input.PathPrefix)),
      async handle(input, call) {
        const page = await pageOfRecords<UserEntity, ReturnType<typeof showUserBriefly>>(
          iam,
          call.account,
          keys.user(''),
          input,
          (user) => (user.path.startsWith(input.PathPrefix ?? '/') ? showUserBriefly(call.account, user) : undefined),
        );
        return { Users: page.items, ...page.truncation };
      },
    },

    UpdateUser: {
      access: async (input, call) => [
        ...need('UpdateUser', await resourceOf.user(iam, call, input.UserName)),
        ...(input.NewUserName === undefined && input.NewPath === undefined
          ? []
          : need('UpdateUser', newEntity(call, 'user', input.NewUserName ?? input.UserName, input.NewPath))),
      ],
      async handle(input, call) {
        const name = input.NewUserName ?? input.UserName ?? '';
        await iam.transact(call.account, async (tx) => {
          const user = await userIn(tx, input.UserName ?? '');
          const renamed: UserEntity = {
            ...user,
            name,
            path: input.NewPath ?? user.path,
          };
          const [from, to] = [keys.user(user.name), keys.user(name)];
          if (from !== to) {
            if ((await tx.get(to)) !== undefined) throw alreadyExists(`User with name ${name} already exists.`);
            tx.remove(from);
            // Everything that refers to the user by name moves along; policies refer to the unique id.
            for (const group of user.groups) {
              tx.remove(keys.member(group, user.name));
              tx.put(keys.member(group, name), true);
            }
            for (const arn of user.attached) {
              tx.remove(keys.attachment(arn, from));
              tx.put(keys.attachment(arn, to), true);
            }
            if (user.boundary !== undefined) {
              tx.remove(keys.boundary(user.boundary, from));
              tx.put(keys.boundary(user.boundary, to), true);
            }
            for (const id of user.accessKeys) {
              const key = await tx.get<AccessKeyEntity>(keys.accessKey(id));
              if (key !== undefined) tx.put(keys.accessKey(id), asJson({ ...key, user: name.toLowerCase() }));
            }
          }
          put(tx, renamed);
        });
        return {};
      },
    },

    DeleteUser: {
      access: async (input, call) => need('DeleteUser', await resourceOf.user(iam, call, input.UserName)),
      async handle(input, call) {
        await iam.transact(call.account, async (tx) => {
          const user = await userIn(tx, input.UserName ?? '');
          if (user.accessKeys.length > 0) throw deleteConflict('Cannot delete entity, must delete access keys first.');
          if (user.attached.length > 0) throw deleteConflict('Cannot delete entity, must detach all policies first.');
          if (Object.keys(user.inline).length > 0)
            throw deleteConflict('Cannot delete entity, must delete policies first.');
          if (user.groups.length > 0) throw deleteConflict('Cannot delete entity, must remove users from group first.');
          await requireNothing(tx, keys.loginProfile(user.id), 'must delete login profile first.');
          await requireNothing(tx, keys.sshKeys(user.id), 'must delete SSH public keys first.');
          await requireNothing(tx, keys.signingCertificates(user.id), 'must delete signing certificates first.');
          tx.remove(keys.user(user.name));
          if (user.boundary !== undefined) tx.remove(keys.boundary(user.boundary, keys.user(user.name)));
        });
        return {};
      },
    },

    // Devices and keys of other services do not exist; tools that clean up a user ask for them.
    ListMFADevices: {
      access: async (input, call) =>
        input.UserName === undefined
          ? needAccount('ListMFADevices')
          : need('ListMFADevices', await resourceOf.user(iam, call, input.UserName)),
      handle: async () => ({ MFADevices: [], IsTruncated: false }),
    },
    ListServiceSpecificCredentials: {
      access: async (input, call) =>
        need(
          'ListServiceSpecificCredentials',
          await resourceOf.user(iam, call, await userNameOf(iam, call, input.UserName)),
        ),
      handle: async () => ({ ServiceSpecificCredentials: [], IsTruncated: false }),
    },
    ListVirtualMFADevices: {
      access: () => needAccount('ListVirtualMFADevices'),
      handle: async () => ({ VirtualMFADevices: [], IsTruncated: false }),
    },
  };
}

/** What belongs to a user is deleted before the user is, also when it is made at the same time. */
async function requireNothing(tx: Transaction, prefix: string, first: string): Promise<void> {
  if ((await tx.list({ prefix, limit: 1 })).records.length > 0) throw deleteConflict(`Cannot delete entity, ${first}`);
  tx.require({ prefix, empty: true });
}
