import type { Transaction } from '@slipway/storage/records';
import { groupArn } from '../arns.ts';
import type { GroupEntity } from '../entities.ts';
import { keys } from '../keys.ts';
import { alreadyExists, deleteConflict, limitExceeded, noSuchEntity } from '../errors.ts';
import { uniqueId } from '../ids.ts';
import { quotas } from '../limits.ts';
import { need, newEntity, resourceOf } from './access.ts';
import { groupIn, put, userIn } from './change.ts';
import type { Iam, IamOperations } from './iam.ts';
import { pageOfList, pageOfRecords } from './paging.ts';
import { showGroup, showUserBriefly } from './show.ts';

export function groupOperations(iam: Iam): IamOperations {
  return {
    CreateGroup: {
      access: (input, call) => need('CreateGroup', newEntity(call, 'group', input.GroupName, input.Path)),
      async handle(input, call) {
        const group: GroupEntity = {
          kind: 'group',
          name: input.GroupName ?? '',
          path: input.Path ?? '/',
          id: uniqueId('AGPA', iam.accounts.ports.random),
          created: iam.now(),
          attached: [],
          inline: {},
        };
        await iam.transact(call.account, async (tx) => {
          if ((await tx.get(keys.group(group.name))) !== undefined) {
            throw alreadyExists(`Group with name ${group.name} already exists.`);
          }
          put(tx, group);
        });
        return { Group: showGroup(call.account, group) };
      },
    },

    GetGroup: {
      access: async (input, call) => need('GetGroup', await resourceOf.group(iam, call, input.GroupName)),
      async handle(input, call) {
        const group = await findGroup(iam, call.account, input.GroupName);
        const prefix = keys.members(group.name);
        const page = await pageOfRecords(iam, call.account, prefix, input, (_value, key) => key.slice(prefix.length));
        const users = await Promise.all(page.items.map((name) => iam.find(call.account, keys.user(name))));
        return {
          Group: showGroup(call.account, group),
          Users: users.filter((user) => user !== undefined).map((user) => showUserBriefly(call.account, user)),
          ...page.truncation,
        };
      },
    },

    ListGroups: {
      access: (input, call) => need('ListGroups', newEntity(call, 'group', '', input.PathPrefix)),
      async handle(input, call) {
        const page = await pageOfRecords<GroupEntity, ReturnType<typeof showGroup>>(
          iam,
          call.account,
          keys.group(''),
          input,
          (group) => (group.path.startsWith(input.PathPrefix ?? '/') ? showGroup(call.account, group) : undefined),
        );
        return { Groups: page.items, ...page.truncation };
      },
    },

    UpdateGroup: {
      access: async (input, call) => need('UpdateGroup', await resourceOf.group(iam, call, input.GroupName)),
      async handle(input, call) {
        const name = input.NewGroupName ?? input.GroupName ?? '';
        await iam.transact(call.account, async (tx) => {
          const group = await groupIn(tx, input.GroupName ?? '');
          const renamed: GroupEntity = {
            ...group,
            name,
            path: input.NewPath ?? group.path,
          };
          const [from, to] = [keys.group(group.name), keys.group(name)];
          if (from !== to) {
            if ((await tx.get(to)) !== undefined) throw alreadyExists(`Group with name ${name} already exists.`);
            await moveMembers(iam, call.account, tx, group.name, name);
            tx.remove(from);
            for (const arn of group.attached) {
              tx.remove(keys.attachment(arn, from));
              tx.put(keys.attachment(arn, to), true);
            }
          }
          put(tx, renamed);
        });
        return {};
      },
    },

    DeleteGroup: {
      access: async (input, call) => need('DeleteGroup', await resourceOf.group(iam, call, input.GroupName)),
      async handle(input, call) {
        await iam.transact(call.account, async (tx) => {
          const group = await groupIn(tx, input.GroupName ?? '');
          const prefix = keys.members(group.name);
          const members = await tx.list({ prefix, limit: 1 });
          if (members.records.length > 0)
            throw deleteConflict('Cannot delete entity, must remove users from group first.');
          if (group.attached.length > 0) throw deleteConflict('Cannot delete entity, must detach all policies first.');
          if (Object.keys(group.inline).length > 0)
            throw deleteConflict('Cannot delete entity, must delete policies first.');
          tx.require({ prefix, empty: true });
          tx.remove(keys.group(group.name));
        });
        return {};
      },
    },

    AddUserToGroup: {
      access: async (input, call) => need('AddUserToGroup', await resourceOf.group(iam, call, input.GroupName)),
      async handle(input, call) {
        await iam.transact(call.account, async (tx) => {
          const group = await groupIn(tx, input.GroupName ?? '');
          const user = await userIn(tx, input.UserName ?? '');
          const name = group.name.toLowerCase();
          if (user.groups.includes(name)) return;
          if (user.groups.length >= quotas.groupsPerUser) {
            throw limitExceeded(`Cannot exceed quota for GroupsPerUser: ${quotas.groupsPerUser}`);
          }
          put(tx, { ...user, groups: [...user.groups, name] });
          tx.put(keys.member(group.name, user.name), true);
        });
        return {};
      },
    },

    RemoveUserFromGroup: {
      access: async (input, call) => need('RemoveUserFromGroup', await resourceOf.group(iam, call, input.GroupName)),
      async handle(input, call) {
        await iam.transact(call.account, async (tx) => {
          const group = await groupIn(tx, input.GroupName ?? '');
          const user = await userIn(tx, input.UserName ?? '');
          const name = group.name.toLowerCase();
          if (!user.groups.includes(name)) throw noSuchEntity(`User ${user.name} not in group ${group.name}`);
          put(tx, { ...user, groups: user.groups.filter((each) => each !== name) });
          tx.remove(keys.member(group.name, user.name));
        });
        return {};
      },
    },

    ListGroupsForUser: {
      access: async (input, call) => need('ListGroupsForUser', await resourceOf.user(iam, call, input.UserName)),
      async handle(input, call) {
        const name = input.UserName ?? '';
        const user = await iam.find(call.account, keys.user(name));
        if (user === undefined) throw noSuchEntity(`The user with name ${name} cannot be found.`);
        const groups = await Promise.all(user.groups.map((each) => iam.find(call.account, keys.group(each))));
        const found = groups.filter((group) => group !== undefined);
        const list = ['ListGroupsForUser', name];
        const page = await pageOfList(iam, call.account, list, found, (group) => groupArn(call.account, group), input);
        return { Groups: page.items.map((group) => showGroup(call.account, group)), ...page.truncation };
      },
    },
  };
}

/** Everybody in the group moves along in the same commit; who joins meanwhile makes it start again. */
async function moveMembers(iam: Iam, account: string, tx: Transaction, from: string, to: string): Promise<void> {
  const prefix = keys.members(from);
  for (const { key } of await iam.all(account, prefix)) {
    const user = await userIn(tx, key.slice(prefix.length));
    put(tx, { ...user, groups: user.groups.map((each) => (each === from.toLowerCase() ? to.toLowerCase() : each)) });
    tx.remove(key);
    tx.put(keys.member(to, user.name), true);
  }
}

async function findGroup(iam: Iam, account: string, name = ''): Promise<GroupEntity> {
  const group = await iam.find(account, keys.group(name));
  if (group === undefined) throw noSuchEntity(`The group with name ${name} cannot be found.`);
  return group;
}
