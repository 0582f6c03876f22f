import type { RoleEntity } from '../entities.ts';
import { keys } from '../keys.ts';
import { alreadyExists, deleteConflict, limitExceeded, noSuchEntity, readPolicy } from '../errors.ts';
import { uniqueId } from '../ids.ts';
import { quotas } from '../limits.ts';
import { policySize } from '../../policy/index.ts';
import { requestTags } from '../../kit/index.ts';
import { iamTags } from '../tags.ts';
import { need, newEntity, resourceOf } from './access.ts';
import { boundaryContext, checkBoundary } from './boundaries.ts';
import { ownRoleIn, put, roleIn } from './change.ts';
import type { Iam, IamOperations } from './iam.ts';
import { pageOfRecords } from './paging.ts';
import { showRole, showRoleBriefly } from './show.ts';

/** Checks a trust policy and binds its principals. @throws AwsError */
export async function readTrustPolicy(iam: Iam, text: string | undefined): Promise<string> {
  const given = text ?? '';
  readPolicy(given, 'trust');
  if (policySize(given) > quotas.trustPolicySize) {
    throw limitExceeded(`Cannot exceed quota for ACLSizePerRole: ${quotas.trustPolicySize}`);
  }
  return iam.binding.bind(given);
}

export async function findRole(iam: Iam, account: string, name = ''): Promise<RoleEntity> {
  const role = await iam.find(account, keys.role(name));
  if (role === undefined) throw noSuchEntity(`The role with name ${name} cannot be found.`);
  return role;
}

export function roleOperations(iam: Iam): IamOperations {
  return {
    CreateRole: {
      access: (input, call) =>
        need('CreateRole', newEntity(call, 'role', input.RoleName, input.Path), {
          ...requestTags(iamTags.parse(input.Tags)),
          ...boundaryContext(input.PermissionsBoundary),
        }),
      async handle(input, call) {
        const name = input.RoleName ?? '';
        const role: RoleEntity = {
          kind: 'role',
          name,
          path: input.Path ?? '/',
          id: uniqueId('AROA', iam.accounts.ports.random),
          created: iam.now(),
          description: input.Description ?? '',
          maxSession: input.MaxSessionDuration ?? 3600,
          trust: await readTrustPolicy(iam, input.AssumeRolePolicyDocument),
          tags: iamTags.parse(input.Tags),
          attached: [],
          inline: {},
          ...(input.PermissionsBoundary === undefined ? {} : { boundary: input.PermissionsBoundary }),
        };
        await iam.transact(call.account, async (tx) => {
          if ((await tx.get(keys.role(name))) !== undefined)
            throw alreadyExists(`Role with name ${name} already exists.`);
          if (role.boundary !== undefined) {
            await checkBoundary(tx, call.account, role.boundary);
            tx.put(keys.boundary(role.boundary, keys.role(name)), true);
          }
          put(tx, role);
        });
        return { Role: showRole(call.account, role, await iam.binding.show(role.trust)) };
      },
    },

    GetRole: {
      access: async (input, call) => need('GetRole', await resourceOf.role(iam, call, input.RoleName)),
      async handle(input, call) {
        const role = await findRole(iam, call.account, input.RoleName);
        const used = await iam.uses.find(call.account, role.id);
        const RoleLastUsed = used === undefined ? {} : { LastUsedDate: new Date(used.at), Region: used.region };
        return { Role: { ...showRole(call.account, role, await iam.binding.show(role.trust)), RoleLastUsed } };
      },
    },

    ListRoles: {
      access: (input, call) => need('ListRoles', newEntity(call, 'role', '', input.PathPrefix)),
      async handle(input, call) {
        const page = await pageOfRecords<RoleEntity, RoleEntity>(iam, call.account, keys.role(''), input, (role) =>
          role.path.startsWith(input.PathPrefix ?? '/') ? role : undefined,
        );
        const roles = page.items.map(async (role) =>
          showRoleBriefly(call.account, role, await iam.binding.show(role.trust)),
        );
        return { Roles: await Promise.all(roles), ...page.truncation };
      },
    },

    UpdateRole: {
      access: async (input, call) => need('UpdateRole', await resourceOf.role(iam, call, input.RoleName)),
      async handle(input, call) {
        await iam.transact(call.account, async (tx) => {
          const role = await ownRoleIn(tx, input.RoleName ?? '');
          put(tx, {
            ...role,
            description: input.Description ?? role.description,
            maxSession: input.MaxSessionDuration ?? role.maxSession,
          });
        });
        return {};
      },
    },

    UpdateRoleDescription: {
      access: async (input, call) => need('UpdateRoleDescription', await resourceOf.role(iam, call, input.RoleName)),
      async handle(input, call) {
        const role = await iam.transact(call.account, async (tx) => {
          // The one thing about a service-linked role that its owner may change.
          const before = await roleIn(tx, input.RoleName ?? '');
          const after = { ...before, description: input.Description ?? '' };
          put(tx, after);
          return after;
        });
        return { Role: showRole(call.account, role, await iam.binding.show(role.trust)) };
      },
    },

    UpdateAssumeRolePolicy: {
      access: async (input, call) => need('UpdateAssumeRolePolicy', await resourceOf.role(iam, call, input.RoleName)),
      async handle(input, call) {
        const trust = await readTrustPolicy(iam, input.PolicyDocument);
        await iam.transact(call.account, async (tx) =>
          put(tx, { ...(await ownRoleIn(tx, input.RoleName ?? '')), trust }),
        );
        return {};
      },
    },

    DeleteRole: {
      access: async (input, call) => need('DeleteRole', await resourceOf.role(iam, call, input.RoleName)),
      async handle(input, call) {
        await iam.transact(call.account, async (tx) => {
          const role = await ownRoleIn(tx, input.RoleName ?? '');
          if (role.attached.length > 0) throw deleteConflict('Cannot delete entity, must detach all policies first.');
          if (Object.keys(role.inline).length > 0)
            throw deleteConflict('Cannot delete entity, must delete policies first.');
          const prefix = keys.profilesOf(role.name);
          const profiles = await tx.list({ prefix, limit: 1 });
          if (profiles.records.length > 0) {
            throw deleteConflict('Cannot delete entity, must remove roles from instance profile first.');
          }
          tx.require({ prefix, empty: true });
          tx.remove(keys.role(role.name));
          if (role.boundary !== undefined) tx.remove(keys.boundary(role.boundary, keys.role(role.name)));
        });
        return {};
      },
    },
  };
}
