import type { ManagedPolicyText, ManagedStatement } from './types.ts';

/** `prefix:Name` of each. */
const of = (prefix: string, ...names: readonly string[]): readonly string[] => names.map((name) => `${prefix}:${name}`);
const everywhere = (Action: readonly string[], Sid?: string): ManagedStatement => ({
  ...(Sid === undefined ? {} : { Sid }),
  Effect: 'Allow',
  Action,
  Resource: '*',
});
/** That a service may have its own role made. */
const ownRole = (service: string, Resource: string): ManagedStatement => ({
  Effect: 'Allow',
  Action: 'iam:CreateServiceLinkedRole',
  Resource,
  Condition: { StringLike: { 'iam:AWSServiceName': `${service}.amazonaws.com` } },
});

const sessionChannels = of(
  'ssmmessages',
  'CreateControlChannel',
  'CreateDataChannel',
  'OpenControlChannel',
  'OpenDataChannel',
);
const readsEcrPublic = [
  ...of('ecr-public', 'GetAuthorizationToken', 'BatchCheckLayerAvailability', 'GetRepositoryPolicy'),
  ...of('ecr-public', 'DescribeRepositories', 'DescribeRegistries', 'DescribeImages', 'DescribeImageTags'),
  ...of('ecr-public', 'GetRepositoryCatalogData', 'GetRegistryCatalogData'),
  'sts:GetServiceBearerToken',
];
const readsFileSystems = of('elasticfilesystem', 'Describe*', 'ListTagsForResource');
const readsNetworks = of(
  'ec2',
  'DescribeAvailabilityZones',
  'DescribeSecurityGroups',
  'DescribeSubnets',
  'DescribeVpcs',
);

/** Systems Manager and Secrets Manager (AWS managed policy reference, as the others below). */
const settings: readonly ManagedPolicyText[] = [
  {
    name: 'AmazonSSMManagedInstanceCore',
    description: 'The policy for Amazon EC2 Role to enable AWS Systems Manager service core functionality.',
    statements: [
      everywhere([
        ...of('ssm', 'DescribeAssociation', 'GetDeployablePatchSnapshotForInstance', 'GetDocument', 'DescribeDocument'),
        ...of('ssm', 'GetManifest', 'GetParameter', 'GetParameters', 'ListAssociations', 'ListInstanceAssociations'),
        ...of('ssm', 'PutInventory', 'PutComplianceItems', 'PutConfigurePackageResult', 'UpdateAssociationStatus'),
        ...of('ssm', 'UpdateInstanceAssociationStatus', 'UpdateInstanceInformation'),
      ]),
      everywhere(sessionChannels),
      everywhere([
        ...of('ec2messages', 'AcknowledgeMessage', 'DeleteMessage', 'FailMessage', 'GetEndpoint', 'GetMessages'),
        'ec2messages:SendReply',
      ]),
    ],
  },
  {
    name: 'AmazonSSMReadOnlyAccess',
    description: 'Provides read only access to Amazon SSM.',
    statements: [everywhere(of('ssm', 'Describe*', 'Get*', 'List*'))],
  },
  {
    name: 'AmazonSSMFullAccess',
    description: 'Provides full access to Amazon SSM.',
    statements: [
      everywhere(['cloudwatch:PutMetricData', 'ec2:DescribeInstanceStatus', 'logs:*', 'ssm:*', 'ec2messages:*']),
      ownRole('ssm', 'arn:aws:iam::*:role/aws-service-role/ssm.amazonaws.com/AWSServiceRoleForAmazonSSM*'),
      everywhere(sessionChannels),
    ],
  },
  {
    name: 'SecretsManagerReadWrite',
    description: 'Provides read/write access to AWS Secrets Manager via the AWS Management Console.',
    statements: [
      everywhere(
        [
          'secretsmanager:*',
          ...of('ec2', 'DescribeSecurityGroups', 'DescribeSubnets', 'DescribeVpcs'),
          ...of('kms', 'DescribeKey', 'ListAliases', 'ListKeys'),
          'tag:GetResources',
        ],
        'BasePermissions',
      ),
    ],
  },
  {
    name: 'AWSKeyManagementServicePowerUser',
    description: 'Provides access to AWS Key Management Service (KMS).',
    statements: [
      everywhere([
        ...of('kms', 'CreateAlias', 'CreateKey', 'DeleteAlias', 'Describe*', 'GenerateRandom', 'Get*', 'List*'),
        ...of('kms', 'TagResource', 'UntagResource'),
        ...of('iam', 'ListGroups', 'ListRoles', 'ListUsers'),
      ]),
    ],
  },
];

/** CloudWatch and its logs. */
const signals: readonly ManagedPolicyText[] = [
  {
    name: 'CloudWatchAgentServerPolicy',
    description: 'Permissions required to use AmazonCloudWatchAgent on servers',
    statements: [
      everywhere(
        [
          'cloudwatch:PutMetricData',
          ...of('ec2', 'DescribeVolumes', 'DescribeTags'),
          ...of('logs', 'PutLogEvents', 'PutRetentionPolicy', 'DescribeLogStreams', 'DescribeLogGroups'),
          ...of('logs', 'CreateLogStream', 'CreateLogGroup'),
        ],
        'CWACloudWatchServerPermissions',
      ),
      {
        Sid: 'CWASSMServerPermissions',
        Effect: 'Allow',
        Action: ['ssm:GetParameter'],
        Resource: 'arn:aws:ssm:*:*:parameter/AmazonCloudWatch-*',
      },
    ],
  },
  {
    name: 'CloudWatchFullAccess',
    description: 'Provides full access to CloudWatch.',
    statements: [
      everywhere([
        'autoscaling:Describe*',
        'cloudwatch:*',
        'logs:*',
        ...of('iam', 'GetPolicy', 'GetPolicyVersion', 'GetRole'),
      ]),
    ],
  },
  {
    name: 'CloudWatchReadOnlyAccess',
    description: 'Provides read only access to CloudWatch.',
    statements: [
      everywhere(
        [
          'application-autoscaling:DescribeScalingPolicies',
          'autoscaling:Describe*',
          ...of('cloudwatch', 'BatchGet*', 'Describe*', 'GenerateQuery', 'Get*', 'List*'),
          ...of('logs', 'Get*', 'List*', 'StartQuery', 'StopQuery', 'Describe*', 'TestMetricFilter', 'FilterLogEvents'),
          ...of('logs', 'StartLiveTail', 'StopLiveTail'),
        ],
        'CloudWatchReadOnlyAccessPermissions',
      ),
    ],
  },
  {
    name: 'CloudWatchLogsFullAccess',
    description: 'Provides full access to CloudWatch Logs',
    statements: [everywhere(['logs:*', 'cloudwatch:GenerateQuery'], 'CloudWatchLogsFullAccess')],
  },
  {
    name: 'CloudWatchLogsReadOnlyAccess',
    description: 'Provides read only access to CloudWatch Logs',
    statements: [
      everywhere(
        [
          ...of('logs', 'Describe*', 'Get*', 'List*', 'StartQuery', 'StopQuery', 'TestMetricFilter', 'FilterLogEvents'),
          ...of('logs', 'StartLiveTail', 'StopLiveTail'),
          'cloudwatch:GenerateQuery',
        ],
        'CloudWatchLogsReadOnlyAccess',
      ),
    ],
  },
];

/** Load balancers, certificates, groups of machines, file systems, CodeDeploy, the public registry. */
const others: readonly ManagedPolicyText[] = [
  {
    name: 'ElasticLoadBalancingFullAccess',
    description: 'Provides full access to Amazon ElasticLoadBalancing.',
    statements: [
      everywhere(['elasticloadbalancing:*']),
      everywhere([
        ...of('ec2', 'DescribeAccountAttributes', 'DescribeAddresses', 'DescribeInternetGateways', 'DescribeInstances'),
        ...of('ec2', 'DescribeSecurityGroups', 'DescribeSubnets', 'DescribeVpcs', 'DescribeNetworkInterfaces'),
        ...of('ec2', 'DescribeRouteTables', 'GetSecurityGroupsForVpc'),
      ]),
      ownRole('elasticloadbalancing', '*'),
    ],
  },
  {
    name: 'ElasticLoadBalancingReadOnly',
    description: 'Provides read only access to Amazon ElasticLoadBalancing and dependent services',
    statements: [
      everywhere(of('elasticloadbalancing', 'Describe*', 'Get*'), 'Statement1'),
      everywhere(of('ec2', 'DescribeInstances', 'DescribeSecurityGroups'), 'Statement2'),
    ],
  },
  {
    name: 'AWSCertificateManagerFullAccess',
    description: 'Provides full access to AWS Certificate Manager (ACM)',
    statements: [everywhere(['acm:*'])],
  },
  {
    name: 'AWSCertificateManagerReadOnly',
    description: 'Provides read only access to AWS Certificate Manager (ACM).',
    statements: [
      everywhere([
        ...of('acm', 'DescribeCertificate', 'ListCertificates', 'GetCertificate', 'ListTagsForCertificate'),
        'acm:GetAccountConfiguration',
      ]),
    ],
  },
  {
    name: 'AutoScalingFullAccess',
    description: 'Provides full access to Auto Scaling.',
    statements: [
      everywhere(['autoscaling:*']),
      everywhere(['cloudwatch:PutMetricAlarm']),
      everywhere([
        ...of('ec2', 'DescribeAccountAttributes', 'DescribeAvailabilityZones', 'DescribeImages', 'DescribeInstances'),
        ...of('ec2', 'DescribeLaunchTemplateVersions', 'DescribeSecurityGroups', 'DescribeSubnets'),
      ]),
      everywhere(of('elasticloadbalancing', 'DescribeLoadBalancers', 'DescribeTargetGroups')),
      ownRole('autoscaling', '*'),
    ],
  },
  {
    name: 'AutoScalingReadOnlyAccess',
    description: 'Provides read-only access to Auto Scaling.',
    statements: [everywhere(['autoscaling:Describe*'])],
  },
  {
    name: 'AmazonElasticFileSystemFullAccess',
    description: 'Provides full access to Amazon EFS via the AWS Management Console.',
    statements: [
      everywhere(
        [
          ...readsFileSystems,
          // Not what clients need to mount: that is a policy of its own.
          ...of(
            'elasticfilesystem',
            'Create*',
            'Delete*',
            'Modify*',
            'Put*',
            'Update*',
            'TagResource',
            'UntagResource',
          ),
          ...of('elasticfilesystem', 'Backup', 'Restore'),
          ...readsNetworks,
          ...of('kms', 'DescribeKey', 'ListAliases'),
        ],
        'ElasticFileSystemFullAccess',
      ),
    ],
  },
  {
    name: 'AmazonElasticFileSystemReadOnlyAccess',
    description: 'Provides read only access to Amazon EFS via the AWS Management Console.',
    statements: [
      everywhere([...readsFileSystems, ...readsNetworks, 'kms:ListAliases'], 'ElasticFileSystemReadOnlyAccess'),
    ],
  },
  {
    name: 'AmazonElasticFileSystemClientReadWriteAccess',
    description: 'Provides read and write client access to an Amazon EFS file system',
    statements: [everywhere(of('elasticfilesystem', 'ClientMount', 'ClientWrite', 'DescribeMountTargets'))],
  },
  {
    name: 'AmazonElasticFileSystemClientFullAccess',
    description: 'Provides root client access to an Amazon EFS file system',
    statements: [
      everywhere(of('elasticfilesystem', 'ClientMount', 'ClientRootAccess', 'ClientWrite', 'DescribeMountTargets')),
    ],
  },
  {
    name: 'AWSCodeDeployFullAccess',
    description: 'Provides full access to CodeDeploy resources.',
    statements: [everywhere(['codedeploy:*'])],
  },
  {
    name: 'AmazonElasticContainerRegistryPublicReadOnly',
    description: 'Provides read-only access to Amazon ECR Public repositories.',
    statements: [everywhere(readsEcrPublic)],
  },
  {
    name: 'AmazonElasticContainerRegistryPublicPowerUser',
    description:
      'Provides full access to Amazon ECR Public repositories, but does not allow repository deletion or policy changes.',
    statements: [
      everywhere([
        ...readsEcrPublic,
        ...of('ecr-public', 'InitiateLayerUpload', 'UploadLayerPart', 'CompleteLayerUpload', 'PutImage'),
      ]),
    ],
  },
  {
    name: 'AmazonElasticContainerRegistryPublicFullAccess',
    description: 'Provides administrative access to Amazon ECR Public resources',
    statements: [everywhere(['ecr-public:*', 'sts:GetServiceBearerToken'])],
  },
];

/** What AWS documents for services that are served here; statements on others are left out, as nothing of them is here. */
export const servicePolicies: readonly ManagedPolicyText[] = [...settings, ...signals, ...others];
