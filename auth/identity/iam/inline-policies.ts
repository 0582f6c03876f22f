import type { Transaction } from '@slipway/storage/records';
import type { Call } from '../../contract/index.ts';
import { policySize } from '../../policy/index.ts';
import type { GroupEntity, RoleEntity, UserEntity } from '../entities.ts';
import { limitExceeded, noSuchEntity, readPolicy } from '../errors.ts';
import { quotas } from '../limits.ts';
import { need, resourceOf } from './access.ts';
import { groupIn, ownRoleIn, put, userIn } from './change.ts';
import { findHolder } from './holders.ts';
import type { Iam, IamOperations } from './iam.ts';
import { type Paged, pageOfList, type PagingInput } from './paging.ts';
import { encodeDocument } from './show.ts';

type Holder = UserEntity | GroupEntity | RoleEntity;
type ReadHolder = (tx: Transaction) => Promise<Holder>;

const sizes = { user: quotas.inlineUserSize, group: quotas.inlineGroupSize, role: quotas.inlineRoleSize } as const;

async function putInline(
  iam: Iam,
  account: string,
  read: ReadHolder,
  policyName: string | undefined,
  text = '',
): Promise<void> {
  const name = policyName ?? '';
  readPolicy(text, 'identity');
  await iam.transact(account, async (tx) => {
    const holder = await read(tx);
    const inline = { ...holder.inline, [name]: text };
    const size = Object.values(inline).reduce((sum, each) => sum + policySize(each), 0);
    if (size > sizes[holder.kind]) {
      throw limitExceeded(
        `Maximum policy size of ${sizes[holder.kind]} bytes exceeded for ${holder.kind} ${holder.name}`,
      );
    }
    put(tx, { ...holder, inline });
  });
}

async function deleteInline(iam: Iam, account: string, read: ReadHolder, name = ''): Promise<void> {
  await iam.transact(account, async (tx) => {
    const holder = await read(tx);
    documentOf(holder, name);
    const { [name]: _removed, ...inline } = holder.inline;
    put(tx, { ...holder, inline });
  });
}

function documentOf(holder: Holder, name: string): string {
  const text = Object.hasOwn(holder.inline, name) ? holder.inline[name] : undefined;
  if (text === undefined) throw noSuchEntity(`The ${holder.kind} policy with name ${name} cannot be found.`);
  return text;
}

function listInline(iam: Iam, account: string, holder: Holder, input: PagingInput): Promise<Paged<string>> {
  const list = ['inline policies', holder.kind, holder.name];
  return pageOfList(iam, account, list, Object.keys(holder.inline), (name) => name, input);
}

export function inlinePolicyOperations(iam: Iam): IamOperations {
  const user = (call: Call, name: string | undefined) => resourceOf.user(iam, call, name);
  const group = (call: Call, name: string | undefined) => resourceOf.group(iam, call, name);
  const role = (call: Call, name: string | undefined) => resourceOf.role(iam, call, name);
  return {
    PutUserPolicy: {
      access: async (input, call) => need('PutUserPolicy', await user(call, input.UserName)),
      async handle(input, call) {
        await putInline(
          iam,
          call.account,
          (tx) => userIn(tx, input.UserName ?? ''),
          input.PolicyName,
          input.PolicyDocument,
        );
        return {};
      },
    },
    GetUserPolicy: {
      access: async (input, call) => need('GetUserPolicy', await user(call, input.UserName)),
      async handle(input, call) {
        const holder = await findHolder(iam, call.account, 'user', input.UserName);
        const name = input.PolicyName ?? '';
        return { UserName: holder.name, PolicyName: name, PolicyDocument: encodeDocument(documentOf(holder, name)) };
      },
    },
    ListUserPolicies: {
      access: async (input, call) => need('ListUserPolicies', await user(call, input.UserName)),
      async handle(input, call) {
        const page = await listInline(
          iam,
          call.account,
          await findHolder(iam, call.account, 'user', input.UserName),
          input,
        );
        return { PolicyNames: page.items, ...page.truncation };
      },
    },
    DeleteUserPolicy: {
      access: async (input, call) => need('DeleteUserPolicy', await user(call, input.UserName)),
      async handle(input, call) {
        await deleteInline(iam, call.account, (tx) => userIn(tx, input.UserName ?? ''), input.PolicyName);
        return {};
      },
    },
    PutGroupPolicy: {
      access: async (input, call) => need('PutGroupPolicy', await group(call, input.GroupName)),
      async handle(input, call) {
        await putInline(
          iam,
          call.account,
          (tx) => groupIn(tx, input.GroupName ?? ''),
          input.PolicyName,
          input.PolicyDocument,
        );
        return {};
      },
    },
    GetGroupPolicy: {
      access: async (input, call) => need('GetGroupPolicy', await group(call, input.GroupName)),
      async handle(input, call) {
        const holder = await findHolder(iam, call.account, 'group', input.GroupName);
        const name = input.PolicyName ?? '';
        return { GroupName: holder.name, PolicyName: name, PolicyDocument: encodeDocument(documentOf(holder, name)) };
      },
    },
    ListGroupPolicies: {
      access: async (input, call) => need('ListGroupPolicies', await group(call, input.GroupName)),
      async handle(input, call) {
        const page = await listInline(
          iam,
          call.account,
          await findHolder(iam, call.account, 'group', input.GroupName),
          input,
        );
        return { PolicyNames: page.items, ...page.truncation };
      },
    },
    DeleteGroupPolicy: {
      access: async (input, call) => need('DeleteGroupPolicy', await group(call, input.GroupName)),
      async handle(input, call) {
        await deleteInline(iam, call.account, (tx) => groupIn(tx, input.GroupName ?? ''), input.PolicyName);
        return {};
      },
    },
    PutRolePolicy: {
      access: async (input, call) => need('PutRolePolicy', await role(call, input.RoleName)),
      async handle(input, call) {
        await putInline(
          iam,
          call.account,
          (tx) => ownRoleIn(tx, input.RoleName ?? ''),
          input.PolicyName,
          input.PolicyDocument,
        );
        return {};
      },
    },
    GetRolePolicy: {
      access: async (input, call) => need('GetRolePolicy', await role(call, input.RoleName)),
      async handle(input, call) {
        const holder = await findHolder(iam, call.account, 'role', input.RoleName);
        const name = input.PolicyName ?? '';
        return { RoleName: holder.name, PolicyName: name, PolicyDocument: encodeDocument(documentOf(holder, name)) };
      },
    },
    ListRolePolicies: {
      access: async (input, call) => need('ListRolePolicies', await role(call, input.RoleName)),
      async handle(input, call) {
        const page = await listInline(
          iam,
          call.account,
          await findHolder(iam, call.account, 'role', input.RoleName),
          input,
        );
        return { PolicyNames: page.items, ...page.truncation };
      },
    },
    DeleteRolePolicy: {
      access: async (input, call) => need('DeleteRolePolicy', await role(call, input.RoleName)),
      async handle(input, call) {
        await deleteInline(iam, call.account, (tx) => ownRoleIn(tx, input.RoleName ?? ''), input.PolicyName);
        return {};
      },
    },
  };
}
