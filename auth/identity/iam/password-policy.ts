import type { Call, ResourceRef } from '../../contract/index.ts';
import { asJson, type PasswordPolicyEntity } from '../entities.ts';
import { keys } from '../keys.ts';
import { noSuchEntity } from '../errors.ts';
import { need, needAccount } from './access.ts';
import type { Iam, IamOperations } from './iam.ts';

/**
 * A resource that its own user may act on without any policy of hers, while the password policy lets users change their passwords ("IAM
 * users can change their own password"): what denies it still does.
 */
export async function openToItself(iam: Iam, call: Call, action: string, resource: ResourceRef): Promise<ResourceRef> {
  const policy = await iam.find(call.account, keys.passwordPolicy);
  if (policy?.usersMayChange !== true || call.principal.type !== 'user') return resource;
  const statement = { Effect: 'Allow', Principal: { AWS: call.principal.id }, Action: `iam:${action}` };
  return { ...resource, policy: JSON.stringify({ Version: '2012-10-17', Statement: [statement] }) };
}

/** The account's password policy. */
export function passwordPolicyOperations(iam: Iam): IamOperations {
  return {
    GetAccountPasswordPolicy: {
      access: async (_input, call) =>
        need('GetAccountPasswordPolicy', await openToItself(iam, call, 'GetAccountPasswordPolicy', { arn: '*' })),
      async handle(_input, call) {
        const policy = await iam.find(call.account, keys.passwordPolicy);
        if (policy === undefined)
          throw noSuchEntity(`The Password Policy with domain name ${call.account} cannot be found.`);
        return {
          PasswordPolicy: {
            MinimumPasswordLength: policy.minimumLength,
            RequireSymbols: policy.requireSymbols,
            RequireNumbers: policy.requireNumbers,
            RequireUppercaseCharacters: policy.requireUppercase,
            RequireLowercaseCharacters: policy.requireLowercase,
            AllowUsersToChangePassword: policy.usersMayChange,
            ExpirePasswords: policy.maxAgeDays !== undefined,
            ...(policy.maxAgeDays === undefined ? {} : { MaxPasswordAge: policy.maxAgeDays }),
            ...(policy.reusePrevention === undefined ? {} : { PasswordReusePrevention: policy.reusePrevention }),
            HardExpiry: policy.hardExpiry,
          },
        };
      },
    },
    UpdateAccountPasswordPolicy: {
      access: () => needAccount('UpdateAccountPasswordPolicy'),
      async handle(input, call) {
        // "This operation does not support partial updates": what is left out has its default again.
        const policy: PasswordPolicyEntity = {
          kind: 'password-policy',
          minimumLength: input.MinimumPasswordLength ?? 6,
          requireSymbols: input.RequireSymbols ?? false,
          requireNumbers: input.RequireNumbers ?? false,
          requireUppercase: input.RequireUppercaseCharacters ?? false,
          requireLowercase: input.RequireLowercaseCharacters ?? false,
          usersMayChange: input.AllowUsersToChangePassword ?? false,
          hardExpiry: input.HardExpiry ?? false,
          ...(input.MaxPasswordAge === undefined ? {} : { maxAgeDays: input.MaxPasswordAge }),
          ...(input.PasswordReusePrevention === undefined ? {} : { reusePrevention: input.PasswordReusePrevention }),
        };
        await iam.transact(call.account, async (tx) => tx.put(keys.passwordPolicy, asJson(policy)));
        return {};
      },
    },
    DeleteAccountPasswordPolicy: {
      access: () => needAccount('DeleteAccountPasswordPolicy'),
      async handle(_input, call) {
        await iam.transact(call.account, async (tx) => {
          if ((await tx.get(keys.passwordPolicy)) === undefined)
            throw noSuchEntity('The account policy with name PasswordPolicy cannot be found.');
          tx.remove(keys.passwordPolicy);
        });
        return {};
      },
    },
  };
}
