import { awsQuery, defineService, type ServiceDefinition } from '../../contract/index.ts';
import { accessKeyOperations } from './access-keys.ts';
import { accountAliasOperations } from './account-aliases.ts';
import { accountOperations } from './account.ts';
import { attachmentOperations } from './attachments.ts';
import { boundaryOperations } from './boundaries.ts';
import { iamConstraints } from './constraints.ts';
import { groupOperations } from './groups.ts';
import type { Iam, IamModule } from './iam.ts';
import { inlinePolicyOperations } from './inline-policies.ts';
import { instanceProfileOperations } from './instance-profiles.ts';
import { loginProfileOperations } from './login-profiles.ts';
import { oidcProviderOperations } from './oidc-providers.ts';
import { passwordPolicyOperations } from './password-policy.ts';
import { policyOperations } from './policies.ts';
import { policyVersionOperations } from './policy-versions.ts';
import { roleOperations } from './roles.ts';
import { notServedOperations } from './not-served.ts';
import { serverCertificateOperations } from './server-certificates.ts';
import { signingCertificateOperations } from './signing-certificates.ts';
import { sshKeyOperations } from './ssh-keys.ts';
import { serviceLinkedRoleOperations } from './service-linked-roles.ts';
import { simulationOperations } from './simulate.ts';
import { taggingOperations } from './tagging.ts';
import { userOperations } from './users.ts';

/** What users may do to themselves where the password policy lets them, whatever policies of theirs say. */
const openToItsUser = new Set(['ChangePassword', 'GetAccountPasswordPolicy']);

/** The IAM API (2010-05-08), as far as registries and container services are administered by it. */
export function iamService(iam: Iam): ServiceDefinition {
  return defineService<IamModule>({
    name: 'iam',
    protocol: awsQuery('2010-05-08', 'https://iam.amazonaws.com/doc/2010-05-08/'),
    load: () => import('@aws-sdk/client-iam'),
    constraints: iamConstraints,
    limits: { needs: (operation) => (openToItsUser.has(operation) ? undefined : `iam:${operation}`) },
    operations: {
      ...userOperations(iam),
      ...groupOperations(iam),
      ...roleOperations(iam),
      ...serviceLinkedRoleOperations(iam),
      ...policyOperations(iam),
      ...policyVersionOperations(iam),
      ...inlinePolicyOperations(iam),
      ...attachmentOperations(iam),
      ...boundaryOperations(iam),
      ...accessKeyOperations(iam),
      ...instanceProfileOperations(iam),
      ...oidcProviderOperations(iam),
      ...taggingOperations(iam),
      ...accountOperations(iam),
      ...accountAliasOperations(iam),
      ...passwordPolicyOperations(iam),
      ...loginProfileOperations(iam),
      ...sshKeyOperations(iam),
      ...signingCertificateOperations(iam),
      ...serverCertificateOperations(iam),
      ...simulationOperations(iam),
      ...notServedOperations(),
    },
  });
}
