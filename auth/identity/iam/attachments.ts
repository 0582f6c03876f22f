import type { AttachedPolicy } from '@aws-sdk/client-iam';
import type { Transaction } from '@slipway/storage/records';
import type { AccessList, Call, ResourceRef } from '../../contract/index.ts';
import { isPolicyArn, parseIdentityArn } from '../arns.ts';
import type { GroupEntity, RoleEntity, UserEntity } from '../entities.ts';
import { keys } from '../keys.ts';
import { invalidInput, limitExceeded, noSuchEntity } from '../errors.ts';
import { quotas } from '../limits.ts';
import { awsManagedPolicies } from '../managed/index.ts';
import { need, resourceOf } from './access.ts';
import { groupIn, keyOf, ownRoleIn, put, userIn } from './change.ts';
import type { Iam, IamOperations } from './iam.ts';
import { type Paged, pageOfList, type PagingInput } from './paging.ts';
import { policyByArn } from './policy-lookup.ts';
import { findHolder } from './holders.ts';

type Holder = UserEntity | GroupEntity | RoleEntity;
type ReadHolder = (tx: Transaction) => Promise<Holder>;

async function attach(iam: Iam, account: string, read: ReadHolder, arn: string): Promise<void> {
  if (!isPolicyArn(arn)) throw invalidInput(`ARN ${arn} is not valid.`);
  await iam.transact(account, async (tx) => {
    const holder = await read(tx);
    if ((await policyByArn(tx, account, arn)) === undefined) {
      throw noSuchEntity(`Policy ${arn} does not exist or is not attachable.`);
    }
    if (holder.attached.includes(arn)) return;
    if (holder.attached.length >= quotas.attachedPoliciesPerEntity) {
      const quota = { user: 'PoliciesPerUser', group: 'PoliciesPerGroup', role: 'PoliciesPerRole' }[holder.kind];
      throw limitExceeded(`Cannot exceed quota for ${quota}: ${quotas.attachedPoliciesPerEntity}`);
    }
    put(tx, { ...holder, attached: [...holder.attached, arn] });
    tx.put(keys.attachment(arn, keyOf(holder)), true);
  });
}

async function detach(iam: Iam, account: string, read: ReadHolder, arn: string): Promise<void> {
  await iam.transact(account, async (tx) => {
    const holder = await read(tx);
    if (!holder.attached.includes(arn)) throw noSuchEntity(`Policy ${arn} was not found.`);
    put(tx, { ...holder, attached: holder.attached.filter((each) => each !== arn) });
    tx.remove(keys.attachment(arn, keyOf(holder)));
  });
}

async function listAttached(
  iam: Iam,
  account: string,
  holder: Holder,
  input: PagingInput & { PathPrefix?: string | undefined },
): Promise<Paged<AttachedPolicy>> {
  const policies = holder.attached.map((arn) => ({ arn, parsed: parseIdentityArn(arn) }));
  const wanted = policies.filter(({ parsed }) => parsed?.path.startsWith(input.PathPrefix ?? '/'));
  const list = ['attached policies', holder.kind, holder.name, input.PathPrefix];
  const page = await pageOfList(iam, account, list, wanted, ({ arn }) => arn, input);
  const shown = page.items.map(({ arn, parsed }) => ({
    PolicyName: awsManagedPolicies.get(arn)?.name ?? parsed?.name,
    PolicyArn: arn,
  }));
  return { items: shown, truncation: page.truncation };
}

function access(action: string, resource: ResourceRef, arn: string | undefined): AccessList {
  return need(action, resource, arn === undefined ? undefined : { 'iam:PolicyARN': arn });
}

export function attachmentOperations(iam: Iam): IamOperations {
  const user = (call: Call, name: string | undefined) => resourceOf.user(iam, call, name);
  const group = (call: Call, name: string | undefined) => resourceOf.group(iam, call, name);
  const role = (call: Call, name: string | undefined) => resourceOf.role(iam, call, name);
  return {
    AttachUserPolicy: {
      access: async (input, call) => access('AttachUserPolicy', await user(call, input.UserName), input.PolicyArn),
      async handle(input, call) {
        await attach(iam, call.account, (tx) => userIn(tx, input.UserName ?? ''), input.PolicyArn ?? '');
        return {};
      },
    },
    DetachUserPolicy: {
      access: async (input, call) => access('DetachUserPolicy', await user(call, input.UserName), input.PolicyArn),
      async handle(input, call) {
        await detach(iam, call.account, (tx) => userIn(tx, input.UserName ?? ''), input.PolicyArn ?? '');
        return {};
      },
    },
    ListAttachedUserPolicies: {
      access: async (input, call) => access('ListAttachedUserPolicies', await user(call, input.UserName), undefined),
      async handle(input, call) {
        const page = await listAttached(
          iam,
          call.account,
          await findHolder(iam, call.account, 'user', input.UserName),
          input,
        );
        return { AttachedPolicies: page.items, ...page.truncation };
      },
    },
    AttachGroupPolicy: {
      access: async (input, call) => access('AttachGroupPolicy', await group(call, input.GroupName), input.PolicyArn),
      async handle(input, call) {
        await attach(iam, call.account, (tx) => groupIn(tx, input.GroupName ?? ''), input.PolicyArn ?? '');
        return {};
      },
    },
    DetachGroupPolicy: {
      access: async (input, call) => access('DetachGroupPolicy', await group(call, input.GroupName), input.PolicyArn),
      async handle(input, call) {
        await detach(iam, call.account, (tx) => groupIn(tx, input.GroupName ?? ''), input.PolicyArn ?? '');
        return {};
      },
    },
    ListAttachedGroupPolicies: {
      access: async (input, call) => access('ListAttachedGroupPolicies', await group(call, input.GroupName), undefined),
      async handle(input, call) {
        const page = await listAttached(
          iam,
          call.account,
          await findHolder(iam, call.account, 'group', input.GroupName),
          input,
        );
        return { AttachedPolicies: page.items, ...page.truncation };
      },
    },
    AttachRolePolicy: {
      access: async (input, call) => access('AttachRolePolicy', await role(call, input.RoleName), input.PolicyArn),
      async handle(input, call) {
        await attach(iam, call.account, (tx) => ownRoleIn(tx, input.RoleName ?? ''), input.PolicyArn ?? '');
        return {};
      },
    },
    DetachRolePolicy: {
      access: async (input, call) => access('DetachRolePolicy', await role(call, input.RoleName), input.PolicyArn),
      async handle(input, call) {
        await detach(iam, call.account, (tx) => ownRoleIn(tx, input.RoleName ?? ''), input.PolicyArn ?? '');
        return {};
      },
    },
    ListAttachedRolePolicies: {
      access: async (input, call) => access('ListAttachedRolePolicies', await role(call, input.RoleName), undefined),
      async handle(input, call) {
        const page = await listAttached(
          iam,
          call.account,
          await findHolder(iam, call.account, 'role', input.RoleName),
          input,
        );
        return { AttachedPolicies: page.items, ...page.truncation };
      },
    },
  };
}
