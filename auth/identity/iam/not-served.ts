import { AwsError } from '../../contract/index.ts';
import { needAccount } from './access.ts';
import type { IamOperations } from './iam.ts';

const devices = 'There are no MFA devices here: callers prove who they are by signatures.';
const saml = 'Identity providers are OpenID Connect ones here (CreateOpenIDConnectProvider).';
const organizations = 'There are no organizations: each account stands for itself.';
const delegation = 'There are no delegation requests: let somebody take on a role instead (AssumeRole).';
const credentials = 'There are no service-specific credentials: use access keys, and for docker GetAuthorizationToken.';
const report =
  'No such report is made: look at GetAccessKeyLastUsed, at RoleLastUsed in GetRole, and at the audit log.';
const outbound = 'Tokens for other providers are not issued.';

/** Every operation of the IAM API that is not served, and what to do instead; so that none is answered as if it did not exist. */
const notServed = {
  AcceptDelegationRequest: delegation,
  AcquireRole: delegation,
  AssociateDelegationRequest: delegation,
  CreateDelegationRequest: delegation,
  CreateSAMLProvider: saml,
  CreateServiceSpecificCredential: credentials,
  CreateVirtualMFADevice: devices,
  DeactivateMFADevice: devices,
  DeleteSAMLProvider: saml,
  DeleteServiceSpecificCredential: credentials,
  DeleteVirtualMFADevice: devices,
  DisableOrganizationsRootCredentialsManagement: organizations,
  DisableOrganizationsRootSessions: organizations,
  DisableOutboundWebIdentityFederation: outbound,
  EnableMFADevice: devices,
  EnableOrganizationsRootCredentialsManagement: organizations,
  EnableOrganizationsRootSessions: organizations,
  EnableOutboundWebIdentityFederation: outbound,
  GenerateCredentialReport: report,
  GenerateOrganizationsAccessReport: organizations,
  GenerateServiceLastAccessedDetails: report,
  GetAccountAuthorizationDetails: 'Read users, groups, roles and policies by their own operations.',
  GetAccountProperties: 'Accounts have no further properties.',
  GetCredentialReport: report,
  GetDelegationRequest: delegation,
  GetHumanReadableSummary: delegation,
  GetMFADevice: devices,
  GetOrganizationsAccessReport: organizations,
  GetOutboundWebIdentityFederationInfo: outbound,
  GetRoleTemplateVersion: delegation,
  GetSAMLProvider: saml,
  GetServiceLastAccessedDetails: report,
  GetServiceLastAccessedDetailsWithEntities: report,
  ListDelegationRequests: delegation,
  ListMFADeviceTags: devices,
  ListOrganizationsFeatures: organizations,
  ListPoliciesGrantingServiceAccess: 'Ask SimulatePrincipalPolicy, or slipway auth explain.',
  ListSAMLProviderTags: saml,
  ListSAMLProviders: saml,
  PutAccountProperties: 'Accounts have no further properties.',
  RejectDelegationRequest: delegation,
  ResetServiceSpecificCredential: credentials,
  ResyncMFADevice: devices,
  SendDelegationToken: delegation,
  SetSecurityTokenServicePreferences: 'Session tokens have one form, which is valid in every region.',
  TagMFADevice: devices,
  TagSAMLProvider: saml,
  UntagMFADevice: devices,
  UntagSAMLProvider: saml,
  UpdateDelegationRequest: delegation,
  UpdateSAMLProvider: saml,
  UpdateServiceSpecificCredential: credentials,
} as const satisfies Partial<Record<keyof IamOperations, string>>;

/** Whoever may call them is told why that does nothing here; others are denied as ever. */
export function notServedOperations(): IamOperations {
  return Object.fromEntries(
    Object.entries(notServed).map(([name, instead]) => [
      name,
      {
        access: () => needAccount(name),
        handle: () =>
          Promise.reject(
            new AwsError('UnsupportedOperation', `${name} is not supported by this installation. ${instead}`),
          ),
      },
    ]),
  );
}
