import type { Transaction } from '@slipway/storage/records';
import { parseIdentityArn, policyArn } from '../arns.ts';
import type { PolicyEntity } from '../entities.ts';
import { keys } from '../keys.ts';
import { type AwsManagedPolicy, awsManagedPolicies } from '../managed/index.ts';

/** A managed policy, the account's own or AWS's, by its ARN. */
export type FoundPolicy = { readonly own: PolicyEntity } | { readonly aws: AwsManagedPolicy };

/** Inside a transaction, the commit then depends on the policy staying as it is. */
export async function policyByArn(
  reader: Pick<Transaction, 'get'>,
  account: string,
  arn: string,
): Promise<FoundPolicy | undefined> {
  const aws = awsManagedPolicies.get(arn);
  if (aws !== undefined) return { aws };
  const parsed = parseIdentityArn(arn);
  if (parsed?.type !== 'policy' || parsed.account !== account) return undefined;
  const own = await reader.get<PolicyEntity>(keys.policy(parsed.name));
  return own !== undefined && policyArn(account, own) === arn ? { own } : undefined;
}
