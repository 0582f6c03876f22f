import type { ManagedPolicyText } from './types.ts';

/** Operations that read EC2's networks (AWS managed policy reference). */
const reads = ['ec2:Describe*', 'ec2:Get*', 'ec2:Search*'];

export const ec2Policies: readonly ManagedPolicyText[] = [
  {
    name: 'AmazonEC2FullAccess',
    description: 'Provides full access to Amazon EC2 via the AWS Management Console.',
    statements: [{ Effect: 'Allow', Action: ['ec2:*'], Resource: '*' }],
  },
  {
    name: 'AmazonEC2ReadOnlyAccess',
    description: 'Provides read only access to Amazon EC2 via the AWS Management Console.',
    statements: [{ Effect: 'Allow', Action: reads, Resource: '*' }],
  },
  {
    name: 'AmazonVPCFullAccess',
    description: 'Provides full access to Amazon VPC via the AWS Management Console.',
    statements: [
      {
        Effect: 'Allow',
        Action: [
          ...reads,
          ...['Accept', 'Allocate', 'Assign', 'Associate', 'Attach', 'Authorize', 'Create', 'Delete', 'Detach'].map(
            (verb) => `ec2:${verb}*`,
          ),
          ...['Disassociate', 'Modify', 'Release', 'Replace', 'Reset', 'Revoke', 'Unassign', 'Update'].map(
            (verb) => `ec2:${verb}*`,
          ),
        ],
        Resource: '*',
      },
    ],
  },
  {
    name: 'AmazonVPCReadOnlyAccess',
    description: 'Provides read only access to Amazon VPC via the AWS Management Console.',
    statements: [{ Effect: 'Allow', Action: reads, Resource: '*' }],
  },
];
