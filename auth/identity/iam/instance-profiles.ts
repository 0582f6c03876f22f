import { passRole } from '../pass-role.ts';
import type { InstanceProfileEntity } from '../entities.ts';
import { keys } from '../keys.ts';
import { alreadyExists, deleteConflict, limitExceeded, noSuchEntity } from '../errors.ts';
import { uniqueId } from '../ids.ts';
import { quotas } from '../limits.ts';
import { requestTags } from '../../kit/index.ts';
import { iamTags } from '../tags.ts';
import { need, newEntity, resourceOf } from './access.ts';
import { profileIn, put, roleIn } from './change.ts';
import { findHolder } from './holders.ts';
import type { Iam, IamOperations } from './iam.ts';
import { pageOfRecords } from './paging.ts';
import { showProfile, showRoleBriefly } from './show.ts';

async function show(iam: Iam, account: string, profile: InstanceProfileEntity) {
  const role = profile.role === undefined ? undefined : await iam.find(account, keys.role(profile.role));
  const roles = role === undefined ? [] : [showRoleBriefly(account, role, await iam.binding.show(role.trust))];
  return showProfile(account, profile, roles);
}

export function instanceProfileOperations(iam: Iam): IamOperations {
  return {
    CreateInstanceProfile: {
      access: (input, call) =>
        need(
          'CreateInstanceProfile',
          newEntity(call, 'instance-profile', input.InstanceProfileName, input.Path),
          requestTags(iamTags.parse(input.Tags)),
        ),
      async handle(input, call) {
        const profile: InstanceProfileEntity = {
          kind: 'instance-profile',
          name: input.InstanceProfileName ?? '',
          path: input.Path ?? '/',
          id: uniqueId('AIPA', iam.accounts.ports.random),
          created: iam.now(),
          tags: iamTags.parse(input.Tags),
        };
        await iam.transact(call.account, async (tx) => {
          if ((await tx.get(keys.profile(profile.name))) !== undefined) {
            throw alreadyExists(`Instance Profile ${profile.name} already exists.`);
          }
          put(tx, profile);
        });
        return { InstanceProfile: showProfile(call.account, profile, []) };
      },
    },

    GetInstanceProfile: {
      access: async (input, call) =>
        need('GetInstanceProfile', await resourceOf.profile(iam, call, input.InstanceProfileName)),
      async handle(input, call) {
        const name = input.InstanceProfileName ?? '';
        const profile = await iam.find(call.account, keys.profile(name));
        if (profile === undefined) throw noSuchEntity(`Instance Profile ${name} cannot be found.`);
        return { InstanceProfile: await show(iam, call.account, profile) };
      },
    },

    ListInstanceProfiles: {
      access: (input, call) => need('ListInstanceProfiles', newEntity(call, 'instance-profile', '', input.PathPrefix)),
      async handle(input, call) {
        const page = await pageOfRecords<InstanceProfileEntity, InstanceProfileEntity>(
          iam,
          call.account,
          keys.profile(''),
          input,
          (profile) => (profile.path.startsWith(input.PathPrefix ?? '/') ? profile : undefined),
        );
        const shown = page.items.map((profile) => show(iam, call.account, profile));
        return { InstanceProfiles: await Promise.all(shown), ...page.truncation };
      },
    },

    ListInstanceProfilesForRole: {
      access: async (input, call) =>
        need('ListInstanceProfilesForRole', await resourceOf.role(iam, call, input.RoleName)),
      async handle(input, call) {
        const role = await findHolder(iam, call.account, 'role', input.RoleName);
        const prefix = keys.profilesOf(role.name);
        const page = await pageOfRecords(iam, call.account, prefix, input, (_value, key) => key.slice(prefix.length));
        const found = await Promise.all(page.items.map((name) => iam.find(call.account, keys.profile(name))));
        const shown = found.filter((each) => each !== undefined).map((profile) => show(iam, call.account, profile));
        return { InstanceProfiles: await Promise.all(shown), ...page.truncation };
      },
    },

    AddRoleToInstanceProfile: {
      access: async (input, call) => [
        ...need('AddRoleToInstanceProfile', await resourceOf.profile(iam, call, input.InstanceProfileName)),
        passRole((await resourceOf.role(iam, call, input.RoleName)).arn, 'ec2.amazonaws.com'),
      ],
      async handle(input, call) {
        await iam.transact(call.account, async (tx) => {
          const profile = await profileIn(tx, input.InstanceProfileName ?? '');
          const role = await roleIn(tx, input.RoleName ?? '');
          if (profile.role !== undefined) {
            throw limitExceeded(
              `Cannot exceed quota for InstanceSessionsPerInstanceProfile: ${quotas.rolesPerInstanceProfile}`,
            );
          }
          put(tx, { ...profile, role: role.name.toLowerCase() });
          tx.put(keys.profileOf(role.name, profile.name), true);
        });
        return {};
      },
    },

    RemoveRoleFromInstanceProfile: {
      access: async (input, call) =>
        need('RemoveRoleFromInstanceProfile', await resourceOf.profile(iam, call, input.InstanceProfileName)),
      async handle(input, call) {
        await iam.transact(call.account, async (tx) => {
          const { role, ...profile } = await profileIn(tx, input.InstanceProfileName ?? '');
          const name = input.RoleName ?? '';
          if (role !== name.toLowerCase()) {
            throw noSuchEntity(`The role with name ${name} is not in the instance profile ${profile.name}.`);
          }
          put(tx, profile);
          tx.remove(keys.profileOf(name, profile.name));
        });
        return {};
      },
    },

    DeleteInstanceProfile: {
      access: async (input, call) =>
        need('DeleteInstanceProfile', await resourceOf.profile(iam, call, input.InstanceProfileName)),
      async handle(input, call) {
        await iam.transact(call.account, async (tx) => {
          const profile = await profileIn(tx, input.InstanceProfileName ?? '');
          if (profile.role !== undefined) {
            throw deleteConflict('Cannot delete entity, must remove roles from instance profile first.');
          }
          tx.remove(keys.profile(profile.name));
        });
        return {};
      },
    },
  };
}
