import { AwsError } from '@slipway/auth/contract';
import { MalformedPolicy, parsePolicy } from '@slipway/auth/policy';

import { malformedPolicy, notFound, unsupported } from './errors.ts';
import { findOwn, type KeysOperations, mayOn, operation, type Scene } from './operation.ts';
import { byKey, flag, nothing, page, pageAnswer, required, struct, text, texts } from './shapes.ts';

const mostCharacters = 32_768;
const onlyName = 'default';

/** The condition keys of KMS that are given to policies, in small letters; those that end in a colon go on. */
const acted = [
  'kms:calleraccount',
  'kms:viaservice',
  'kms:encryptioncontext:',
  'kms:encryptioncontextkeys',
  'kms:keyspec',
  'kms:keyusage',
  'kms:keyorigin',
  'kms:multiregion',
  'kms:requestalias',
  'kms:resourcealiases',
  'kms:resourcetag/',
  'kms:reencryptonsamekey',
  'kms:rotationperiodindays',
  'kms:schedulekeydeletionpendingwindowindays',
  'kms:bypasspolicylockoutsafetycheck',
] as const;

/** Policies of keys: each has one, and without its word nobody may do anything with the key. */
export const policyOperations: KeysOperations = {
  PutKeyPolicy: operation({
    input: struct('PutKeyPolicyRequest', {
      ...byKey,
      PolicyName: text,
      Policy: required(text),
      BypassPolicyLockoutSafetyCheck: flag,
    }),
    output: nothing,
    bodyBytes: 256 * 1024,
    access: mayOn('PutKeyPolicy', ({ BypassPolicyLockoutSafetyCheck: bypass = false }) => ({
      'kms:BypassPolicyLockoutSafetyCheck': String(bypass),
    })),
    handle: async ({ KeyId, PolicyName, Policy, BypassPolicyLockoutSafetyCheck }, scene) => {
      checkName(PolicyName);
      const { account, key } = await findOwn(scene, KeyId);
      const policy = await boundPolicy(scene, Policy);
      if (BypassPolicyLockoutSafetyCheck !== true)
        await checkLockout(scene, scene.api.keys.keyArn(account, key), policy);
      await scene.api.keys.change(account, key.id, (before) => ({ ...before, policy }));
      return {};
    },
  }),
  GetKeyPolicy: operation({
    input: struct('GetKeyPolicyRequest', { ...byKey, PolicyName: text }),
    output: struct('GetKeyPolicyResponse', { Policy: text, PolicyName: text }),
    access: mayOn('GetKeyPolicy'),
    handle: async ({ KeyId, PolicyName }, scene) => {
      checkName(PolicyName);
      const { key } = await findOwn(scene, KeyId);
      return { Policy: await scene.api.principals.show(key.policy), PolicyName: onlyName };
    },
  }),
  ListKeyPolicies: operation({
    input: struct('ListKeyPoliciesRequest', { ...byKey, ...page }),
    output: struct('ListKeyPoliciesResponse', { PolicyNames: texts, ...pageAnswer }),
    access: mayOn('ListKeyPolicies'),
    handle: async ({ KeyId }, scene) => {
      await findOwn(scene, KeyId);
      return { PolicyNames: [onlyName], Truncated: false };
    },
  }),
};

function checkName(name: string | undefined): void {
  if (name !== undefined && name !== onlyName) throw notFound('No such policy exists');
}

/**
 * A policy with its principals by their ids.
 * @throws MalformedPolicyDocumentException; UnsupportedOperationException for conditions that nothing here fills in
 */
export async function boundPolicy({ api }: Scene, policy: string): Promise<string> {
  if (policy.length > mostCharacters)
    throw malformedPolicy(`The policy has ${policy.length} characters: it has at most ${mostCharacters}.`);
  try {
    const { statements } = parsePolicy(policy, 'resource');
    for (const { conditions } of statements)
      for (const { key } of conditions)
        if (!isActedOn(key)) throw unsupported(`The condition key ${key}`, conditionsLeft);
    return await api.principals.bind(policy);
  } catch (error) {
    if (error instanceof MalformedPolicy) throw malformedPolicy(error.message);
    if (!(error instanceof AwsError) || error.code === 'UnsupportedOperationException') throw error;
    throw malformedPolicy(error.message);
  }
}

const conditionsLeft =
  'Requests have no value for it, so that the statement would mean something else than it says: leave the condition out.';

function isActedOn(key: string): boolean {
  const lowered = key.toLowerCase();
  if (!lowered.startsWith('kms:')) return true;
  return acted.some((one) => (/[:/]$/.test(one) ? lowered.startsWith(one) : lowered === one));
}

/** @throws MalformedPolicyDocumentException for a policy that would not let its caller change it again */
export async function checkLockout({ api, call, account }: Scene, arn: string, policy: string): Promise<void> {
  const { allowed } = await api.authorizer.authorize(
    call.principal,
    {
      action: 'kms:PutKeyPolicy',
      resources: [{ arn, policy, policyDecides: true }],
      context: { 'kms:CallerAccount': account, 'kms:BypassPolicyLockoutSafetyCheck': 'false' },
    },
    call,
  );
  if (!allowed) throw malformedPolicy('The new key policy will not allow you to update the key policy in the future.');
}
