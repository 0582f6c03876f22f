import type { ResourceRef } from '../contract/index.ts';
import { parseArn } from '../kit/index.ts';

/** The account in an ARN, or undefined when it has none of 12 digits (`*`, AWS's own policies). */
export function accountOfResource(arn: string): string | undefined {
  const account = parseArn(arn)?.account;
  return account !== undefined && /^\d{12}$/.test(account) ? account : undefined;
}

/** Whose a resource is, as its ARN says, or the service where ARNs have no account; undefined when nobody does. */
export const resourceAccount = ({ arn, account }: ResourceRef): string | undefined => accountOfResource(arn) ?? account;

const trustActions = new Set([
  'sts:assumerole',
  'sts:assumerolewithwebidentity',
  'sts:tagsession',
  'sts:setsourceidentity',
]);

/** Whether the policy of the resource is a role's trust policy, which must allow by itself. */
export function isTrustAction(action: string): boolean {
  return trustActions.has(action.toLowerCase());
}
