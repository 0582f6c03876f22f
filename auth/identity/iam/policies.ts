import type { Policy } from '@aws-sdk/client-iam';
import { policySize } from '../../policy/index.ts';
import { isPolicyArn, policyArn } from '../arns.ts';
import { asJson, type PolicyEntity } from '../entities.ts';
import { type Key, keys } from '../keys.ts';
import { alreadyExists, deleteConflict, invalidInput, limitExceeded, noSuchEntity, readPolicy } from '../errors.ts';
import { uniqueId } from '../ids.ts';
import { quotas } from '../limits.ts';
import { type AwsManagedPolicy, awsManagedPolicies } from '../managed/index.ts';
import { requestTags } from '../../kit/index.ts';
import { iamTags } from '../tags.ts';
import { need, newEntity, resourceOf } from './access.ts';
import type { Iam, IamOperations } from './iam.ts';
import { type Paged, pageOfList, type PagingInput } from './paging.ts';
import { type FoundPolicy, policyByArn } from './policy-lookup.ts';
import { type PolicyUse, showAwsPolicy, showPolicy, showPolicyBriefly } from './show.ts';

/** Checks a managed policy's document. @throws AwsError */
export function readManagedDocument(text: string | undefined): string {
  const given = text ?? '';
  readPolicy(given, 'identity');
  if (policySize(given) > quotas.managedPolicySize) {
    throw limitExceeded(`Cannot exceed quota for PolicySize: ${quotas.managedPolicySize}`);
  }
  return given;
}

export async function findPolicy(iam: Iam, account: string, arn = ''): Promise<FoundPolicy> {
  if (!isPolicyArn(arn)) throw invalidInput(`ARN ${arn} is not valid.`);
  const found = await policyByArn({ get: (key) => iam.find(account, key) }, account, arn);
  if (found === undefined) throw noSuchEntity(`Policy ${arn} was not found.`);
  return found;
}

async function useOf(iam: Iam, account: string, arn: string): Promise<PolicyUse> {
  const [attachments, boundaries] = await Promise.all([
    iam.all(account, keys.attachments(arn)),
    iam.all(account, keys.boundaries(arn)),
  ]);
  return { attachments: attachments.length, boundaries: boundaries.length };
}

export function policyOperations(iam: Iam): IamOperations {
  return {
    CreatePolicy: {
      access: (input, call) =>
        need(
          'CreatePolicy',
          newEntity(call, 'policy', input.PolicyName, input.Path),
          requestTags(iamTags.parse(input.Tags)),
        ),
      async handle(input, call) {
        const now = iam.now();
        const policy: PolicyEntity = {
          kind: 'policy',
          name: input.PolicyName ?? '',
          path: input.Path ?? '/',
          id: uniqueId('ANPA', iam.accounts.ports.random),
          created: now,
          updated: now,
          tags: iamTags.parse(input.Tags),
          defaultVersion: 'v1',
          lastVersion: 1,
          versions: [{ id: 'v1', created: now, document: readManagedDocument(input.PolicyDocument) }],
          ...(input.Description === undefined ? {} : { description: input.Description }),
        };
        await iam.transact(call.account, async (tx) => {
          if ((await tx.get(keys.policy(policy.name))) !== undefined) {
            throw alreadyExists(`A policy called ${policy.name} already exists. Duplicate names are not allowed.`);
          }
          tx.put(keys.policy(policy.name), asJson(policy));
        });
        return { Policy: showPolicy(call.account, policy, { attachments: 0, boundaries: 0 }) };
      },
    },

    GetPolicy: {
      access: async (input, call) => need('GetPolicy', await resourceOf.policy(iam, call, input.PolicyArn)),
      async handle(input, call) {
        const found = await findPolicy(iam, call.account, input.PolicyArn);
        const use = await useOf(iam, call.account, input.PolicyArn ?? '');
        return { Policy: 'aws' in found ? showAwsPolicy(found.aws, use) : showPolicy(call.account, found.own, use) };
      },
    },

    ListPolicies: {
      access: (input, call) => need('ListPolicies', newEntity(call, 'policy', '', input.PathPrefix)),
      async handle(input, call) {
        const page = await listPolicies(iam, call.account, input);
        return { Policies: page.items, ...page.truncation };
      },
    },

    DeletePolicy: {
      access: async (input, call) => need('DeletePolicy', await resourceOf.policy(iam, call, input.PolicyArn)),
      async handle(input, call) {
        const arn = input.PolicyArn ?? '';
        await iam.transact(call.account, async (tx) => {
          const found = await policyByArn(tx, call.account, arn);
          if (found === undefined) throw noSuchEntity(`Policy ${arn} was not found.`);
          if ('aws' in found) throw invalidInput(`${arn} is managed by AWS and cannot be changed.`);
          for (const prefix of [keys.attachments(arn), keys.boundaries(arn)]) {
            if ((await tx.list({ prefix, limit: 1 })).records.length > 0) {
              throw deleteConflict('Cannot delete a policy attached to entities.');
            }
            tx.require({ prefix, empty: true });
          }
          if (found.own.versions.length > 1) {
            throw deleteConflict(
              "This policy has more than one version. Before you delete a policy, you must delete the policy's versions.",
            );
          }
          tx.remove(keys.policy(found.own.name));
        });
        return {};
      },
    },

    ListEntitiesForPolicy: {
      access: async (input, call) => need('ListEntitiesForPolicy', await resourceOf.policy(iam, call, input.PolicyArn)),
      async handle(input, call) {
        const arn = input.PolicyArn ?? '';
        await findPolicy(iam, call.account, arn);
        const prefix = input.PolicyUsageFilter === 'PermissionsBoundary' ? keys.boundaries(arn) : keys.attachments(arn);
        const rows = await iam.all(call.account, prefix);
        const holders = await Promise.all(
          rows.map(({ key }) => iam.find(call.account, key.slice(prefix.length) as Key<HolderRow>)),
        );
        const wanted = holders.filter(
          (holder) =>
            holder !== undefined &&
            holder.path.startsWith(input.PathPrefix ?? '/') &&
            (input.EntityFilter === undefined || input.EntityFilter === filters[holder.kind]),
        ) as HolderRow[];
        const list = ['ListEntitiesForPolicy', arn, input.PolicyUsageFilter, input.EntityFilter, input.PathPrefix];
        const keyOf = (holder: HolderRow): string => `${holder.kind}/${holder.name}`;
        const page = await pageOfList(iam, call.account, list, wanted, keyOf, input);
        const of = (kind: HolderRow['kind']) => page.items.filter((holder) => holder.kind === kind);
        return {
          PolicyUsers: of('user').map(({ name, id }) => ({ UserName: name, UserId: id })),
          PolicyGroups: of('group').map(({ name, id }) => ({ GroupName: name, GroupId: id })),
          PolicyRoles: of('role').map(({ name, id }) => ({ RoleName: name, RoleId: id })),
          ...page.truncation,
        };
      },
    },
  };
}

interface HolderRow {
  readonly kind: 'user' | 'group' | 'role';
  readonly name: string;
  readonly path: string;
  readonly id: string;
}

const filters = { user: 'User', group: 'Group', role: 'Role' } as const;

/** Counts of every managed policy in two listings, however many there are. */
async function allUses(iam: Iam, account: string): Promise<(arn: string) => PolicyUse> {
  const count = async (prefix: string): Promise<Map<string, number>> => {
    const counts = new Map<string, number>();
    for (const { key } of await iam.all(account, prefix)) {
      const arn = key.slice(prefix.length, key.lastIndexOf(' '));
      counts.set(arn, (counts.get(arn) ?? 0) + 1);
    }
    return counts;
  };
  const [attachments, boundaries] = await Promise.all([
    count(keys.attachments('').trimEnd()),
    count(keys.boundaries('').trimEnd()),
  ]);
  return (arn) => ({ attachments: attachments.get(arn) ?? 0, boundaries: boundaries.get(arn) ?? 0 });
}

interface ListPoliciesInput extends PagingInput {
  readonly Scope?: string | undefined;
  readonly OnlyAttached?: boolean | undefined;
  readonly PathPrefix?: string | undefined;
  readonly PolicyUsageFilter?: string | undefined;
}

async function listPolicies(iam: Iam, account: string, input: ListPoliciesInput): Promise<Paged<Policy>> {
  const own = input.Scope === 'AWS' ? [] : (await iam.all(account, keys.policy(''))).map(({ value }) => value);
  const aws = input.Scope === 'Local' ? [] : [...awsManagedPolicies.values()];
  const arnOf = (policy: PolicyEntity | AwsManagedPolicy) =>
    'arn' in policy ? policy.arn : policyArn(account, policy);
  const all = [...own, ...aws].filter((policy) => policy.path.startsWith(input.PathPrefix ?? '/'));
  const uses = await allUses(iam, account);
  const counted = all.map((policy) => ({ policy, use: uses(arnOf(policy)) }));
  const wanted = counted.filter(({ use }) => {
    if (input.PolicyUsageFilter === 'PermissionsBoundary') return use.boundaries > 0;
    return input.OnlyAttached !== true || use.attachments > 0;
  });
  const { Scope, OnlyAttached, PathPrefix, PolicyUsageFilter } = input;
  const list = ['ListPolicies', Scope, OnlyAttached, PathPrefix, PolicyUsageFilter];
  const page = await pageOfList(iam, account, list, wanted, ({ policy }) => arnOf(policy), input);
  const shown = page.items.map(({ policy, use }) => {
    if (!('arn' in policy)) return showPolicyBriefly(account, policy, use);
    const { Description: _, Tags: __, ...brief } = showAwsPolicy(policy, use);
    return brief;
  });
  return { items: shown as Policy[], truncation: page.truncation };
}
