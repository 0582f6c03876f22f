import { isPolicyArn } from '../arns.ts';
import type { Transaction } from '@slipway/storage/records';
import type { RoleEntity, UserEntity } from '../entities.ts';
import { keys } from '../keys.ts';
import { invalidInput, noSuchEntity } from '../errors.ts';
import { need, resourceOf } from './access.ts';
import { keyOf, ownRoleIn, put, userIn } from './change.ts';
import type { Iam, IamOperations } from './iam.ts';
import { policyByArn } from './policy-lookup.ts';

export const boundaryContext = (arn: string | undefined): Record<string, string> =>
  arn === undefined ? {} : { 'iam:PermissionsBoundary': arn };

/** A boundary is a managed policy that exists. @throws AwsError */
export async function checkBoundary(tx: Transaction, account: string, arn: string): Promise<void> {
  if (!isPolicyArn(arn)) throw invalidInput(`ARN ${arn} is not the ARN of a managed policy.`);
  if ((await policyByArn(tx, account, arn)) === undefined)
    throw noSuchEntity(`Policy ${arn} does not exist or is not attachable.`);
}

async function setBoundary(
  iam: Iam,
  account: string,
  read: (tx: Transaction) => Promise<UserEntity | RoleEntity>,
  arn: string | undefined,
): Promise<void> {
  await iam.transact(account, async (tx) => {
    const { boundary, ...entity } = await read(tx);
    const key = keyOf(entity as UserEntity | RoleEntity);
    if (arn === undefined && boundary === undefined) {
      throw noSuchEntity(
        `${entity.kind === 'user' ? 'User' : 'Role'} ${entity.name} does not have a permissions boundary.`,
      );
    }
    if (arn !== undefined) await checkBoundary(tx, account, arn);
    if (boundary !== undefined) tx.remove(keys.boundary(boundary, key));
    if (arn !== undefined) tx.put(keys.boundary(arn, key), true);
    put(tx, { ...entity, ...(arn === undefined ? {} : { boundary: arn }) } as UserEntity | RoleEntity);
  });
}

export function boundaryOperations(iam: Iam): IamOperations {
  return {
    PutUserPermissionsBoundary: {
      access: async (input, call) =>
        need(
          'PutUserPermissionsBoundary',
          await resourceOf.user(iam, call, input.UserName),
          boundaryContext(input.PermissionsBoundary),
        ),
      async handle(input, call) {
        await setBoundary(iam, call.account, (tx) => userIn(tx, input.UserName ?? ''), input.PermissionsBoundary ?? '');
        return {};
      },
    },
    DeleteUserPermissionsBoundary: {
      access: async (input, call) =>
        need('DeleteUserPermissionsBoundary', await resourceOf.user(iam, call, input.UserName)),
      async handle(input, call) {
        await setBoundary(iam, call.account, (tx) => userIn(tx, input.UserName ?? ''), undefined);
        return {};
      },
    },
    PutRolePermissionsBoundary: {
      access: async (input, call) =>
        need(
          'PutRolePermissionsBoundary',
          await resourceOf.role(iam, call, input.RoleName),
          boundaryContext(input.PermissionsBoundary),
        ),
      async handle(input, call) {
        await setBoundary(
          iam,
          call.account,
          (tx) => ownRoleIn(tx, input.RoleName ?? ''),
          input.PermissionsBoundary ?? '',
        );
        return {};
      },
    },
    DeleteRolePermissionsBoundary: {
      access: async (input, call) =>
        need('DeleteRolePermissionsBoundary', await resourceOf.role(iam, call, input.RoleName)),
      async handle(input, call) {
        await setBoundary(iam, call.account, (tx) => ownRoleIn(tx, input.RoleName ?? ''), undefined);
        return {};
      },
    },
  };
}
