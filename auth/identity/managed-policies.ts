import { parseIdentityArn, policyArn } from './arns.ts';
import { keys } from './keys.ts';
import { awsManagedPolicies } from './managed/index.ts';
import type { Mirror } from './mirror.ts';

/** The default version's document of the managed policy that an ARN names, AWS's or the account's own; undefined when there is none. */
export function policyDocument(mirror: Mirror, arn: string): string | undefined {
  const own = awsManagedPolicies.get(arn);
  if (own !== undefined) return own.document;
  const parsed = parseIdentityArn(arn);
  if (parsed?.type !== 'policy') return undefined;
  const policy = mirror.get(keys.policy(parsed.name));
  if (policy === undefined || policyArn(parsed.account, policy) !== arn) return undefined;
  return policy.versions.find((version) => version.id === policy.defaultVersion)?.document;
}
