import { AwsError, type PolicyPrincipals } from '@slipway/auth/contract';
import { MalformedPolicy, parsePolicy } from '@slipway/auth/policy';

import { refusal } from './errors.ts';
import { bucketArn } from './names.ts';

interface Statement {
  readonly Resource?: string | readonly string[];
}

const statementsOf = (policy: string): readonly Statement[] =>
  [(JSON.parse(policy) as { Statement?: Statement | readonly Statement[] }).Statement ?? []].flat();

/** A bucket's policy with its principals by their ids. @throws MalformedPolicy */
export async function boundPolicy(principals: PolicyPrincipals, bucket: string, policy: string): Promise<string> {
  try {
    parsePolicy(policy, 'resource');
    const bound = await principals.bind(policy);
    const arn = bucketArn(bucket);
    for (const { Resource = [] } of statementsOf(policy)) {
      // A pattern may begin before the bucket's name ends; it means no other bucket here.
      if (
        [Resource]
          .flat()
          .some((one) => !(one === arn || one.startsWith(`${arn}/`) || /[*?]/.test(one.slice(0, arn.length))))
      )
        throw refusal(400, 'MalformedPolicy', 'Policy has invalid resource');
    }
    return bound;
  } catch (error) {
    if (error instanceof AwsError && error.code === 'MalformedPolicy') throw error;
    if (error instanceof AwsError || error instanceof MalformedPolicy)
      throw refusal(400, 'MalformedPolicy', error.message);
    throw error;
  }
}
