import { validationError } from '../errors.ts';
import { accountOfAccessKey } from '../ids.ts';
import type { StsOperations } from './sts.ts';

export function callerOperations(): StsOperations {
  return {
    GetCallerIdentity: {
      // Cannot be denied (STS API reference).
      access: 'authenticated',
      handle: async (_input, { principal }) => ({
        UserId: principal.id,
        Account: principal.account,
        Arn: principal.arn,
      }),
    },
    GetAccessKeyInfo: {
      access: () => [{ action: 'sts:GetAccessKeyInfo', resources: [{ arn: '*' }] }],
      async handle(input) {
        const account = accountOfAccessKey(input.AccessKeyId ?? '');
        if (account === undefined) throw validationError('The access key ID is not one of this installation');
        return { Account: account };
      },
    },
  };
}
