import { keys } from '../keys.ts';
import { quotas } from '../limits.ts';
import { needAccount } from './access.ts';
import type { Iam, IamOperations } from './iam.ts';

export function accountOperations(iam: Iam): IamOperations {
  return {
    GetAccountSummary: {
      access: () => needAccount('GetAccountSummary'),
      async handle(_input, call) {
        const count = async (prefix: string): Promise<number> => (await iam.all(call.account, prefix)).length;
        const policies = await iam.all(call.account, keys.policy(''));
        return {
          SummaryMap: {
            Users: await count(keys.user('')),
            Groups: await count(keys.group('')),
            Roles: await count(keys.role('')),
            InstanceProfiles: await count(keys.profile('')),
            Providers: await count(keys.oidcProvider('')),
            Policies: policies.length,
            PolicyVersionsInUse: policies.reduce((sum, { value }) => sum + value.versions.length, 0),
            AccountAccessKeysPresent: 0,
            AccountMFAEnabled: 0,
            AccountSigningCertificatesPresent: 0,
            MFADevices: 0,
            MFADevicesInUse: 0,
            ServerCertificates: await count(keys.serverCertificate('')),
            ServerCertificatesQuota: quotas.serverCertificates,
            SigningCertificatesPerUserQuota: quotas.signingCertificatesPerUser,
            AccountPasswordPresent: 0,
            AccessKeysPerUserQuota: quotas.accessKeysPerUser,
            AttachedPoliciesPerGroupQuota: quotas.attachedPoliciesPerEntity,
            AttachedPoliciesPerRoleQuota: quotas.attachedPoliciesPerEntity,
            AttachedPoliciesPerUserQuota: quotas.attachedPoliciesPerEntity,
            GroupPolicySizeQuota: quotas.inlineGroupSize,
            GroupsPerUserQuota: quotas.groupsPerUser,
            PolicySizeQuota: quotas.managedPolicySize,
            RolePolicySizeQuota: quotas.inlineRoleSize,
            AssumeRolePolicySizeQuota: quotas.trustPolicySize,
            UserPolicySizeQuota: quotas.inlineUserSize,
            VersionsPerPolicyQuota: quotas.policyVersions,
          },
        };
      },
    },
  };
}
