import type { PolicyDescriptorType, Tag } from '@aws-sdk/client-sts';
import { AwsError } from '../../contract/index.ts';
import { policySize } from '../../policy/index.ts';
import type { Accounts } from '../accounts.ts';
import type { SessionEntity, Tags } from '../entities.ts';
import { invalidInput, noSuchEntity, readPolicy } from '../errors.ts';
import { policyDocument } from '../managed-policies.ts';
import { iamTags } from '../tags.ts';

/** Session policies and tags together fill this many characters (AWS packs them into a binary form of about that capacity). */
const packedLimit = 4096;

export interface SessionPolicyInput {
  readonly Policy?: string | undefined;
  readonly PolicyArns?: readonly PolicyDescriptorType[] | undefined;
  readonly Tags?: readonly Tag[] | undefined;
}

export interface SessionPolicies {
  /** Undefined when no policies were passed. */
  readonly policies: SessionEntity['policies'];
  readonly tags: Tags;
  /** Percent of what a session may carry; undefined when nothing was passed. */
  readonly packed: number | undefined;
}

/**
 * Checks what a session shall carry: an inline policy, managed policies of the account or AWS's, tags.
 * @throws AwsError
 */
export async function readSessionPolicies(
  accounts: Accounts,
  account: string,
  input: SessionPolicyInput,
): Promise<SessionPolicies> {
  const arns = (input.PolicyArns ?? []).map(({ arn = '' }) => arn);
  if (arns.length > 10) throw invalidInput('A session takes at most 10 managed policies');
  if (input.Policy !== undefined) readPolicy(input.Policy, 'identity');
  const mirror = await accounts.mirror(account);
  for (const arn of arns) {
    if (mirror === undefined || policyDocument(mirror, arn) === undefined)
      throw noSuchEntity(`Policy ${arn} does not exist.`);
  }
  const tags = iamTags.parse(input.Tags);
  const hasPolicies = input.Policy !== undefined || arns.length > 0;
  const size =
    policySize(input.Policy ?? '') +
    arns.reduce((sum, arn) => sum + arn.length, 0) +
    Object.entries(tags).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  const packed = Math.ceil((size / packedLimit) * 100);
  if (packed > 100) {
    throw new AwsError(
      'PackedPolicyTooLargeException',
      `PackedPolicySize: ${packed}%. The session policies and tags are too large`,
    );
  }
  return {
    policies: hasPolicies
      ? { ...(input.Policy === undefined ? {} : { inline: input.Policy }), managed: arns }
      : undefined,
    tags,
    packed: hasPolicies || Object.keys(tags).length > 0 ? packed : undefined,
  };
}
