import { AwsError } from '@slipway/auth/contract';
import { isPublic, MalformedPolicy, parsePolicy } from '@slipway/auth/policy';

import { markedForDeletion } from './errors.ts';
import { accessTo, find, mayList, mayOn, namesOf, operation, type Scene, type SecretsOperations } from './operation.ts';
import { byId, flag, list, named, required, struct, text } from './shapes.ts';

/** Resource policies of secrets: kept, shown, removed and looked at. */
export const policyOperations: SecretsOperations = {
  PutResourcePolicy: operation({
    input: struct('PutResourcePolicyRequest', { ...byId, ResourcePolicy: required(text), BlockPublicPolicy: flag }),
    output: struct('PutResourcePolicyResponse', named),
    access: mayOn('PutResourcePolicy', ({ BlockPublicPolicy = false }) => ({
      'secretsmanager:BlockPublicPolicy': String(BlockPublicPolicy),
    })),
    handle: async ({ SecretId, ResourcePolicy, BlockPublicPolicy }, scene) => {
      const policy = await bound(scene, ResourcePolicy);
      if (BlockPublicPolicy === true && isPublic(ResourcePolicy))
        throw new AwsError(
          'PublicPolicyException',
          'You must not include a public policy: it gives access to everybody. Name principals, or add a condition.',
        );
      const secret = await scene.api.secrets.change(scene.account, SecretId, (before) => ({ ...before, policy }));
      return namesOf(scene, secret);
    },
  }),
  GetResourcePolicy: operation({
    input: struct('GetResourcePolicyRequest', byId),
    output: struct('GetResourcePolicyResponse', { ...named, ResourcePolicy: text }),
    access: mayOn('GetResourcePolicy'),
    handle: async ({ SecretId }, scene) => {
      const secret = await find(scene, SecretId);
      if (secret.deletionAt !== undefined) throw markedForDeletion();
      return {
        ...namesOf(scene, secret),
        ...(secret.policy === undefined ? {} : { ResourcePolicy: await scene.api.principals.show(secret.policy) }),
      };
    },
  }),
  DeleteResourcePolicy: operation({
    input: struct('DeleteResourcePolicyRequest', byId),
    output: struct('DeleteResourcePolicyResponse', named),
    access: mayOn('DeleteResourcePolicy'),
    handle: async ({ SecretId }, scene) => {
      const secret = await scene.api.secrets.change(scene.account, SecretId, (before) => {
        const { policy: _, ...rest } = before;
        return rest;
      });
      return namesOf(scene, secret);
    },
  }),
  ValidateResourcePolicy: operation({
    input: struct('ValidateResourcePolicyRequest', { SecretId: text, ResourcePolicy: required(text) }),
    output: struct('ValidateResourcePolicyResponse', {
      PolicyValidationPassed: flag,
      ValidationErrors: list(struct('ValidationErrorsEntry', { CheckName: text, ErrorMessage: text })),
    }),
    access: async ({ SecretId }, scene) =>
      SecretId === undefined
        ? mayList('ValidateResourcePolicy')()
        : [await accessTo(scene, 'ValidateResourcePolicy', SecretId)],
    handle: async ({ SecretId, ResourcePolicy }, scene) => {
      if (SecretId !== undefined) await find(scene, SecretId);
      const errors: { CheckName: string; ErrorMessage: string }[] = [];
      try {
        await bound(scene, ResourcePolicy);
        if (isPublic(ResourcePolicy))
          errors.push({ CheckName: 'PublicPolicy', ErrorMessage: 'The policy gives access to everybody.' });
      } catch (error) {
        if (!(error instanceof AwsError)) throw error;
        errors.push({ CheckName: 'PolicySyntax', ErrorMessage: error.message });
      }
      return { PolicyValidationPassed: errors.length === 0, ValidationErrors: errors };
    },
  }),
};

/** A policy with its principals by their ids. @throws MalformedPolicyDocumentException */
async function bound({ api }: Scene, policy: string): Promise<string> {
  try {
    parsePolicy(policy, 'resource');
    return await api.principals.bind(policy);
  } catch (error) {
    if (!(error instanceof AwsError) && !(error instanceof MalformedPolicy)) throw error;
    throw new AwsError('MalformedPolicyDocumentException', `This resource policy is not valid: ${error.message}`);
  }
}
