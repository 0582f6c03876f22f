import type { ManagedPolicyText } from './types.ts';

const readOnlyServices = [
  'acm',
  'ec2',
  'ecr',
  'ecs',
  'iam',
  'elasticloadbalancing',
  'application-autoscaling',
  'autoscaling',
  'cloudwatch',
  'logs',
  'events',
  'ssm',
  'kms',
  'elasticfilesystem',
  's3',
];

/** Policies that are about no single service. */
export const generalPolicies: readonly ManagedPolicyText[] = [
  {
    name: 'AdministratorAccess',
    description: 'Provides full access to AWS services and resources.',
    statements: [{ Effect: 'Allow', Action: '*', Resource: '*' }],
  },
  {
    name: 'PowerUserAccess',
    description:
      'Provides full access to AWS services and resources, but does not allow management of Users and groups.',
    statements: [
      { Effect: 'Allow', NotAction: ['iam:*', 'organizations:*', 'account:*'], Resource: '*' },
      {
        Effect: 'Allow',
        Action: [
          'iam:CreateServiceLinkedRole',
          'iam:DeleteServiceLinkedRole',
          'iam:ListRoles',
          'organizations:DescribeOrganization',
        ],
        Resource: '*',
      },
    ],
  },
  {
    name: 'ReadOnlyAccess',
    description: 'Provides read-only access to AWS services and resources.',
    statements: [
      {
        Effect: 'Allow',
        Action: [
          ...readOnlyServices.flatMap((service) => [`${service}:Describe*`, `${service}:Get*`, `${service}:List*`]),
          'codedeploy:BatchGet*',
          'codedeploy:Get*',
          'codedeploy:List*',
          'ecr:BatchCheckLayerAvailability',
          'ecr:BatchGetImage',
          'ecr:BatchGetRepositoryScanningConfiguration',
          'ecr:ValidatePullThroughCacheRule',
          'ecr-public:BatchCheckLayerAvailability',
          'ecr-public:Describe*',
          'ecr-public:Get*',
          'ecr-public:List*',
          'logs:FilterLogEvents',
          // What is a secret is not read with it.
          'secretsmanager:Describe*',
          'secretsmanager:GetResourcePolicy',
          'secretsmanager:List*',
          'logs:StartLiveTail',
          'logs:StartQuery',
          'logs:StopQuery',
          'logs:TestMetricFilter',
          'iam:Generate*',
          'iam:Simulate*',
          'sts:GetAccessKeyInfo',
          'sts:GetCallerIdentity',
          'sts:GetSessionToken',
          'tag:Get*',
        ],
        Resource: '*',
      },
    ],
  },
  {
    name: 'IAMFullAccess',
    description: 'Provides full access to IAM.',
    statements: [{ Effect: 'Allow', Action: ['iam:*'], Resource: '*' }],
  },
  {
    name: 'IAMReadOnlyAccess',
    description: 'Provides read only access to IAM.',
    statements: [
      {
        Effect: 'Allow',
        Action: [
          'iam:GenerateCredentialReport',
          'iam:GenerateServiceLastAccessedDetails',
          'iam:Get*',
          'iam:List*',
          'iam:Simulate*',
        ],
        Resource: '*',
      },
    ],
  },
];
