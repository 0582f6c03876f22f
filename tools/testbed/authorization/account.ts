import { GetAuthorizationTokenCommand, type GetAuthorizationTokenCommandOutput } from '@aws-sdk/client-ecr';
import { vi } from 'vitest';
import type { Installation } from '../../server/installation.ts';
import type { Called, Callers, Key } from './requests.ts';
import { account, arn, canary, trust, values } from './samples.ts';

const elsewhere = '111122223333';
const tags = [{ Key: 'seen', Value: canary }];
const shortRole = { RoleName: 'short' };

/** Makes those who call, and what they might find or change: each thing has the canary. */
export async function furnish(callers: Callers, installation: Installation): Promise<void> {
  callers.keys.set('admin', installation.administrator as Key);
  callers.keys.set('other account', (await installation.identity.bootstrap(elsewhere)) as Key);
  callers.keys.set('nobody', await user(callers, 'nobody'));
  callers.keys.set('reader', await user(callers, 'reader', 'arn:aws:iam::aws:policy/ReadOnlyAccess'));
  const role = { ...shortRole, AssumeRolePolicyDocument: trust, Description: canary };
  await callers.admin('iam', 'CreateRole', role);
  const all = 'arn:aws:iam::aws:policy/AdministratorAccess';
  await callers.admin('iam', 'AttachRolePolicy', { ...shortRole, PolicyArn: all });
  await callers.admin('ecr', 'CreateRepository', { repositoryName: 'team/web', tags });
  const cluster = { resourceArn: arn('ecs', 'cluster/default'), tags: [{ key: 'seen', value: canary }] };
  await callers.admin('ecs', 'TagResource', cluster);
  const vpc = /<vpcId>([^<]*)/.exec(JSON.stringify(await callers.admin('ec2', 'DescribeVpcs')))?.[1];
  await callers.admin('ec2', 'CreateTags', { Resources: [vpc], Tags: tags });
  const fileSystem = { CreationToken: 'canary', Tags: tags };
  const { FileSystemId } = await callers.admin('elasticfilesystem', 'CreateFileSystem', fileSystem);
  callers.samples['elasticfilesystem'] = { ...values, ResourceId: FileSystemId };
  await callers.admin('logs', 'CreateLogGroup', { logGroupName: 'canary', tags: { seen: canary } });
  const secret = { Name: 'canary', SecretString: canary, Tags: tags };
  await callers.admin('secretsmanager', 'CreateSecret', secret);
  const keyTags = [{ TagKey: 'seen', TagValue: canary }];
  const key = await callers.admin('kms', 'CreateKey', { Description: canary, Tags: keyTags });
  const [, TargetKeyId] = /"KeyId":"([^"]*)/.exec(String(key['text'])) ?? [];
  await callers.admin('kms', 'CreateAlias', { AliasName: 'alias/canary', TargetKeyId });
  const application = { applicationName: 'sample', computePlatform: 'ECS', tags };
  await callers.admin('codedeploy', 'CreateApplication', application);
  const alarm = { AlarmName: 'canary', AlarmRule: 'FALSE', Tags: tags };
  await callers.admin('monitoring', 'PutCompositeAlarm', alarm);
  const parameter = { Name: 'canary', Value: canary, Type: 'SecureString', Tags: tags };
  await callers.admin('ssm', 'PutParameter', parameter);
  // Sessions of fifteen minutes, made ten minutes ago.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 600_000 });
  for (let i = 0; i < 80; i++) callers.expired.push(await session(callers));
  vi.useRealTimers();
  await logIn(callers);
}

async function user(callers: Callers, UserName: string, policy?: string): Promise<Key> {
  await callers.admin('iam', 'CreateUser', { UserName });
  if (policy !== undefined) await callers.admin('iam', 'AttachUserPolicy', { UserName, PolicyArn: policy });
  const { AccessKey } = (await callers.admin('iam', 'CreateAccessKey', { UserName })) as {
    AccessKey?: { AccessKeyId?: string; SecretAccessKey?: string };
  };
  return { accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' };
}

async function session(callers: Callers): Promise<Key> {
  const RoleArn = `arn:aws:iam::${account}:role/short`;
  const wanted = { RoleArn, RoleSessionName: 'short', DurationSeconds: 900 };
  const { Credentials: made } = (await callers.admin('sts', 'AssumeRole', wanted)) as {
    Credentials?: { AccessKeyId?: string; SecretAccessKey?: string; SessionToken?: string };
  };
  return {
    accessKeyId: made?.AccessKeyId ?? '',
    secretAccessKey: made?.SecretAccessKey ?? '',
    sessionToken: made?.SessionToken ?? '',
  };
}

/** Nobody may log in to the registry, and then nothing. */
async function logIn(callers: Callers): Promise<void> {
  const Statement = [{ Effect: 'Allow', Action: 'ecr:GetAuthorizationToken', Resource: '*' }];
  const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement });
  await callers.admin('iam', 'PutUserPolicy', { UserName: 'nobody', PolicyName: 'login', PolicyDocument });
  for (const who of ['nobody', 'reader', 'other account', 'expired', 'admin'] as const) {
    const sender = callers.as(who, 'ecr');
    const answer = (await sender.send(new GetAuthorizationTokenCommand({}))) as GetAuthorizationTokenCommandOutput;
    callers.passwords.set(who, answer.authorizationData?.[0]?.authorizationToken ?? '');
  }
}

const held: readonly (readonly [service: Called, operation: string, input?: object])[] = [
  ['ecr', 'DescribeRepositories'],
  ['iam', 'GetAccountSummary'],
  ['iam', 'ListUsers'],
  ['iam', 'ListRoles'],
  ['iam', 'ListPolicies', { Scope: 'Local' }],
  ['ecs', 'DescribeClusters', { include: ['TAGS', 'SETTINGS', 'STATISTICS'] }],
  ['ecs', 'ListTaskDefinitions'],
  ['ecs', 'ListServices'],
  ['ecs', 'ListContainerInstances'],
  ['ec2', 'DescribeVpcs'],
  ['ec2', 'DescribeSubnets'],
  ['ec2', 'DescribeSecurityGroups'],
  ['ec2', 'DescribeSecurityGroupRules'],
  ['ec2', 'DescribeRouteTables'],
  ['ec2', 'DescribeInternetGateways'],
  ['ec2', 'DescribeNatGateways'],
  ['ec2', 'DescribeAddresses'],
  ['ec2', 'DescribeDhcpOptions'],
  ['ec2', 'DescribeNetworkAcls'],
  ['ec2', 'DescribeNetworkInterfaces'],
  ['ec2', 'DescribeTags'],
  ['ec2', 'DescribeLaunchTemplates'],
  ['autoscaling', 'DescribeAutoScalingGroups'],
  ['elasticfilesystem', 'DescribeFileSystems'],
  ['acm', 'ListCertificates', { Includes: { keyTypes: ['EC_prime256v1'] } }],
  ['classic', 'DescribeLoadBalancers'],
  ['logs', 'DescribeLogGroups'],
  ['logs', 'ListTagsLogGroup', { logGroupName: 'canary' }],
  // Their states change by themselves.
  ['monitoring', 'ListTagsForResource', { ResourceARN: arn('cloudwatch', 'alarm:canary') }],
  ['codedeploy', 'ListApplications'],
  ['secretsmanager', 'ListSecrets'],
  ['ssm', 'DescribeParameters'],
  ['kms', 'ListAliases'],
  ['kms', 'ListKeys'],
  ['kms', 'DescribeKey', { KeyId: 'alias/canary' }],
  ['elasticloadbalancing', 'DescribeLoadBalancers'],
  ['elasticloadbalancing', 'DescribeTargetGroups'],
];

/** What the account holds, as its administrator sees it. */
export async function holdings(callers: Callers): Promise<string> {
  const seen = await Promise.all([
    ...held.map(([service, operation, input]) => callers.admin(service, operation, input)),
    callers.admin('ecr', 'GetRegistryPolicy').catch((error: Error) => ({ none: error.name })),
  ]);
  const shown = seen.map((answer) => ({ ...answer, $metadata: undefined }));
  return JSON.stringify(shown).replaceAll(/<requestId>[^<]*/gi, '');
}
