/** IAM's quotas (IAM user guide, "IAM and STS quotas"); sizes in characters without white space. */
export const quotas = {
  accessKeysPerUser: 2,
  groupsPerUser: 10,
  attachedPoliciesPerEntity: 10,
  policyVersions: 5,
  rolesPerInstanceProfile: 1,
  tags: 50,
  managedPolicySize: 6144,
  inlineUserSize: 2048,
  inlineRoleSize: 10_240,
  inlineGroupSize: 5120,
  trustPolicySize: 4096,
  clientIdsPerProvider: 100,
  sshKeysPerUser: 5,
  signingCertificatesPerUser: 2,
  serverCertificates: 20,
} as const;
