import type { PolicyVersion } from '@aws-sdk/client-iam';
import type { Transaction } from '@slipway/storage/records';
import { asJson, type PolicyEntity, type PolicyVersionEntity } from '../entities.ts';
import { keys } from '../keys.ts';
import { deleteConflict, invalidInput, limitExceeded, noSuchEntity } from '../errors.ts';
import { quotas } from '../limits.ts';
import { need, resourceOf } from './access.ts';
import type { Iam, IamOperations } from './iam.ts';
import { pageOfList } from './paging.ts';
import { findPolicy, readManagedDocument } from './policies.ts';
import { type FoundPolicy, policyByArn } from './policy-lookup.ts';
import { encodeDocument } from './show.ts';

async function ownPolicyIn(tx: Transaction, account: string, arn: string): Promise<PolicyEntity> {
  const found = await policyByArn(tx, account, arn);
  if (found === undefined) throw noSuchEntity(`Policy ${arn} was not found.`);
  if ('aws' in found) throw invalidInput(`${arn} is managed by AWS and cannot be changed.`);
  return found.own;
}

function versionsOf(found: FoundPolicy): readonly (PolicyVersionEntity & { isDefault: boolean })[] {
  if ('aws' in found) return [{ id: 'v1', created: found.aws.created, document: found.aws.document, isDefault: true }];
  return found.own.versions.map((version) => ({ ...version, isDefault: version.id === found.own.defaultVersion }));
}

const missing = (arn: string, version: string): Error =>
  noSuchEntity(`Policy ${arn} version ${version} does not exist or is not attachable.`);

function show(version: PolicyVersionEntity, isDefault: boolean): PolicyVersion {
  return { VersionId: version.id, IsDefaultVersion: isDefault, CreateDate: new Date(version.created) };
}

export function policyVersionOperations(iam: Iam): IamOperations {
  return {
    CreatePolicyVersion: {
      access: async (input, call) => need('CreatePolicyVersion', await resourceOf.policy(iam, call, input.PolicyArn)),
      async handle(input, call) {
        const document = readManagedDocument(input.PolicyDocument);
        const isDefault = input.SetAsDefault === true;
        const version = await iam.transact(call.account, async (tx) => {
          const policy = await ownPolicyIn(tx, call.account, input.PolicyArn ?? '');
          if (policy.versions.length >= quotas.policyVersions) {
            throw limitExceeded(
              `A managed policy can have up to ${quotas.policyVersions} versions. Before you create a new version, you must delete an existing version.`,
            );
          }
          const made: PolicyVersionEntity = { id: `v${policy.lastVersion + 1}`, created: iam.now(), document };
          const after: PolicyEntity = {
            ...policy,
            updated: iam.now(),
            lastVersion: policy.lastVersion + 1,
            versions: [made, ...policy.versions],
            defaultVersion: isDefault ? made.id : policy.defaultVersion,
          };
          tx.put(keys.policy(policy.name), asJson(after));
          return made;
        });
        return { PolicyVersion: show(version, isDefault) };
      },
    },

    GetPolicyVersion: {
      access: async (input, call) => need('GetPolicyVersion', await resourceOf.policy(iam, call, input.PolicyArn)),
      async handle(input, call) {
        const versions = versionsOf(await findPolicy(iam, call.account, input.PolicyArn));
        const version = versions.find((each) => each.id === input.VersionId);
        if (version === undefined) throw missing(input.PolicyArn ?? '', input.VersionId ?? '');
        return { PolicyVersion: { ...show(version, version.isDefault), Document: encodeDocument(version.document) } };
      },
    },

    ListPolicyVersions: {
      access: async (input, call) => need('ListPolicyVersions', await resourceOf.policy(iam, call, input.PolicyArn)),
      async handle(input, call) {
        const versions = versionsOf(await findPolicy(iam, call.account, input.PolicyArn));
        // The newest first: by how far its number is from a large one.
        const keyOf = (version: { readonly id: string }): string => String(1e9 - Number(version.id.slice(1)));
        const page = await pageOfList(iam, call.account, ['versions', input.PolicyArn], versions, keyOf, input);
        return { Versions: page.items.map((version) => show(version, version.isDefault)), ...page.truncation };
      },
    },

    SetDefaultPolicyVersion: {
      access: async (input, call) =>
        need('SetDefaultPolicyVersion', await resourceOf.policy(iam, call, input.PolicyArn)),
      async handle(input, call) {
        const wanted = input.VersionId ?? '';
        await iam.transact(call.account, async (tx) => {
          const policy = await ownPolicyIn(tx, call.account, input.PolicyArn ?? '');
          if (!policy.versions.some((version) => version.id === wanted)) throw missing(input.PolicyArn ?? '', wanted);
          tx.put(keys.policy(policy.name), asJson({ ...policy, defaultVersion: wanted, updated: iam.now() }));
        });
        return {};
      },
    },

    DeletePolicyVersion: {
      access: async (input, call) => need('DeletePolicyVersion', await resourceOf.policy(iam, call, input.PolicyArn)),
      async handle(input, call) {
        const wanted = input.VersionId ?? '';
        await iam.transact(call.account, async (tx) => {
          const policy = await ownPolicyIn(tx, call.account, input.PolicyArn ?? '');
          if (!policy.versions.some((version) => version.id === wanted)) throw missing(input.PolicyArn ?? '', wanted);
          if (policy.defaultVersion === wanted) throw deleteConflict('Cannot delete the default version of a policy.');
          const versions = policy.versions.filter((version) => version.id !== wanted);
          tx.put(keys.policy(policy.name), asJson({ ...policy, versions, updated: iam.now() }));
        });
        return {};
      },
    },
  };
}
