import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as codedeploy from '@aws-sdk/client-codedeploy';
import * as ecr from '@aws-sdk/client-ecr';
import * as ecrPublic from '@aws-sdk/client-ecr-public';
import * as ecs from '@aws-sdk/client-ecs';
import * as iam from '@aws-sdk/client-iam';
import * as efs from '@aws-sdk/client-efs';
import * as sts from '@aws-sdk/client-sts';
import { Registry } from '@prometheus-io/client';
import { modelOf } from '@slipway/auth/protocol';
import { ownerOf, scan, scanPartitions } from '@slipway/storage/records';
import aws4 from 'aws4';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readConfig } from '../server/config.ts';
import { type Installation, startInstallation } from '../server/installation.ts';
import { layout } from '../server/layout.ts';
import {
  AcmClient,
  acmModule,
  ClassicClient,
  classicModule,
  CloudWatchClient,
  cloudWatchModule,
  Ec2Client,
  ec2Module,
  ElbClient,
  elbModule,
  LogsClient,
  logsModule,
  ScalingClient,
  GroupsClient,
  groupsModule,
  scalingModule,
  SecretsClient,
  secretsModule,
  SsmClient,
  ssmModule,
} from '../testbed/query-clients.ts';
import { sampleInput, type SampleValues } from '../testbed/sample-input.ts';

/**
 * A10: everything that a whole installation serves, enumerated from the running gateway, called by everybody who should not
 * get in, and by the one who should. A route that is added without a thought for its callers fails here.
 */
const account = '000000000000';
/** Stands in what the account holds, and in no answer to anybody of another account. */
const canary = 'canary-4d1e';
const elsewhere = '111122223333';
const region = 'us-east-1';
const digest = `sha256:${'0'.repeat(64)}`;
const arn = (service: string, resource: string): string => `arn:aws:${service}:${region}:${account}:${resource}`;
const trust = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${account}:user/admin` }, Action: 'sts:AssumeRole' }],
});
const grant = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'ecr:DescribeImages', Resource: '*' }],
});

/** Inputs that must look like something to be understood. Things named here exist before anybody calls. */
const values: SampleValues = {
  repositoryName: 'team/web',
  repositoryNames: ['team/web'],
  imageIds: [{ imageTag: 'latest' }],
  imageId: { imageTag: 'latest' },
  layerDigest: digest,
  layerDigests: [digest],
  imageManifest: '{}',
  lifecyclePolicyText: JSON.stringify({
    rules: [
      {
        rulePriority: 1,
        selection: { tagStatus: 'untagged', countType: 'imageCountMoreThan', countNumber: 100 },
        action: { type: 'expire' },
      },
    ],
  }),
  policyText: grant,
  uploadId: '00000000-0000-0000-0000-000000000000',
  partFirstByte: 0,
  partLastByte: 0,
  imageTagMutability: 'MUTABLE',
  resourceArn: arn('ecs', 'cluster/default'),
  task: '0'.repeat(32),
  tasks: ['0'.repeat(32)],
  'GetTaskProtection.tasks': ['0'.repeat(32)],
  serviceDeploymentArn: arn('ecs', 'service-deployment/default/web/sample'),
  serviceDeploymentArns: [arn('ecs', 'service-deployment/default/web/sample')],
  serviceRevisionArns: [arn('ecs', 'service-revision/default/web/1')],
  PolicyArn: `arn:aws:iam::${account}:policy/sample`,
  PermissionsBoundary: `arn:aws:iam::${account}:policy/sample`,
  PolicySourceArn: `arn:aws:iam::${account}:user/reader`,
  PolicyDocument: grant,
  AssumeRolePolicyDocument: trust,
  OpenIDConnectProviderArn: `arn:aws:iam::${account}:oidc-provider/ci.example.com`,
  ThumbprintList: ['0'.repeat(40)],
  Url: 'https://ci.example.com',
  VersionId: 'v1',
  AccessKeyId: 'AKIA0000000000SAMPLE',
  Status: 'Inactive',
  SSHPublicKeyId: 'APKA0000000000000SAMPLE',
  Encoding: 'SSH',
  CertificateId: '0'.repeat(32),
  'CreateDelegationRequest.Permissions': { PolicyTemplateArn: `arn:aws:iam::${account}:policy/sample` },
  registryId: account,
  principalArn: `arn:aws:iam::${account}:role/short`,
  RoleArn: `arn:aws:iam::${account}:role/short`,
  DeletionTaskId: 'task/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS/00000000-0000-0000-0000-000000000000',
};
const elbArn = (resource: string): string => `arn:aws:elasticloadbalancing:us-east-1:${account}:${resource}`;
/** ECR's and ECS's members of the same name want ARNs of their own. */
const valuesOf: Readonly<Record<string, SampleValues>> = {
  ecr: { ...values, resourceArn: arn('ecr', 'repository/team/web') },
  ec2: {
    ...values,
    // What a call may refuse before it looks at anything else, and what is there in every account.
    CidrBlock: '10.7.0.0/16',
    Attribute: 'enableDnsSupport',
    'ModifySecurityGroupRules.SecurityGroupRules': [{ SecurityGroupRuleId: 'sgr-00000000000000000' }],
    LaunchTemplateName: 'none',
    LaunchTemplateData: { InstanceType: 'm5.large' },
    DhcpConfigurations: [{ Key: 'domain-name', Values: ['example.com'] }],
    'CreateTags.Tags': [{ Key: 'team', Value: 'blue' }],
    'CreateTags.Resources': ['vpc-00000000000000000'],
    Resources: ['vpc-00000000000000000'],
  },
  elasticloadbalancing: {
    ...values,
    Name: 'sample',
    LoadBalancerArn: elbArn('loadbalancer/app/canary/0000000000000000'),
    TargetGroupArn: elbArn('targetgroup/canary/0000000000000000'),
    ListenerArn: elbArn('listener/app/canary/0000000000000000/0000000000000000'),
    RuleArn: elbArn('listener-rule/app/canary/0000000000000000/0000000000000000/0000000000000000'),
    ResourceArns: [elbArn('targetgroup/canary/0000000000000000')],
    SecurityGroups: ['sg-00000000000000000'],
    IpAddressType: 'ipv4',
    Priority: 1,
    Targets: [{ Id: '10.0.0.1' }],
    Actions: [{ Type: 'forward' }],
    DefaultActions: [{ Type: 'forward' }],
    Conditions: [{ Field: 'path-pattern' }],
    Certificates: [{ CertificateArn: 'sample' }],
    RulePriorities: [{ RuleArn: elbArn('listener-rule/app/canary/0/0/0'), Priority: 1 }],
    Attributes: [{ Key: 'idle_timeout.timeout_seconds', Value: '60' }],
    Tags: [{ Key: 'team', Value: 'blue' }],
  },
  codedeploy: {
    ...values,
    ResourceArn: arn('codedeploy', 'application:sample'),
    Tags: [{ Key: 'team', Value: 'blue' }],
  },
  acm: {
    ...values,
    CertificateArn: `arn:aws:acm:us-east-1:${account}:certificate/00000000-0000-4000-8000-000000000000`,
    Tags: [{ Key: 'team', Value: 'blue' }],
  },
  logs: {
    ...values,
    resourceArn: arn('logs', 'log-group:canary'),
    logGroupName: 'sample',
    retentionInDays: 1,
    tags: { team: 'blue' },
    'UntagLogGroup.tags': ['team'],
    // A session of one that is there would last.
    logGroupIdentifiers: ['none'],
    logGroupIdentifier: 'none',
  },
  monitoring: {
    ...values,
    ResourceARN: arn('cloudwatch', 'alarm:canary'),
    Tags: [{ Key: 'team', Value: 'blue' }],
    AlarmNames: ['none'],
    StateValue: 'OK',
    Namespace: 'sample',
    MetricData: [{ MetricName: 'sample', Value: 1 }],
  },
  autoscaling: {
    ...values,
    AutoScalingGroupName: 'none',
    LaunchTemplate: { LaunchTemplateName: 'none' },
    InstanceId: 'i-00000000000000000',
    InstanceIds: ['i-00000000000000000'],
    HealthStatus: 'Healthy',
    'CreateOrUpdateTags.Tags': [{ ResourceId: 'none', Key: 'team', Value: 'blue' }],
    'DeleteTags.Tags': [{ ResourceId: 'none', Key: 'team' }],
  },
  'application-autoscaling': {
    ...values,
    ServiceNamespace: 'ecs',
    ResourceId: 'service/default/none',
    ScalableDimension: 'ecs:service:DesiredCount',
    ResourceARN: arn('application-autoscaling', 'scalable-target/none'),
    Tags: { team: 'blue' },
    ResourceIds: ['service/default/none'],
    PolicyType: 'StepScaling',
  },
  secretsmanager: {
    ...values,
    Name: 'sample',
    SecretId: 'none',
    VersionId: undefined,
    Tags: [{ Key: 'team', Value: 'blue' }],
    ResourcePolicy: grant,
    SecretIdList: ['none'],
  },
  ssm: {
    ...values,
    Name: 'none',
    ResourceType: 'Parameter',
    ResourceId: 'canary',
    TagKeys: ['team'],
    'PutParameter.Type': 'String',
    'AddTagsToResource.Tags': [{ Key: 'team', Value: 'blue' }],
  },
  classic: {
    ...values,
    LoadBalancerName: 'canary',
    LoadBalancerNames: ['canary'],
    Listeners: [{ Protocol: 'TCP', LoadBalancerPort: 80, InstancePort: 80 }],
    Instances: [{ InstanceId: 'i-00000000000000000' }],
    HealthCheck: { Target: 'TCP:80', Interval: 30, Timeout: 5, UnhealthyThreshold: 2, HealthyThreshold: 2 },
    LoadBalancerAttributes: { ConnectionSettings: { IdleTimeout: 60 } },
    LoadBalancerPort: 80,
    LoadBalancerPorts: [80],
    'AddTags.Tags': [{ Key: 'team', Value: 'blue' }],
    'RemoveTags.Tags': [{ Key: 'team' }],
  },
  ecs: {
    ...values,
    'TagResource.tags': [{ key: 'team', value: 'blue' }],
    taskSet: 'ecs-svc/1000000000000000000',
    primaryTaskSet: 'ecs-svc/1000000000000000000',
  },
  'ecr-public': {
    ...values,
    resourceArn: `arn:aws:ecr-public::${account}:repository/team/web`,
    tags: [{ Key: 'team', Value: 'blue' }],
  },
};
const clients = {
  acm: { module: acmModule, client: AcmClient },
  codedeploy: { module: codedeploy, client: codedeploy.CodeDeployClient },
  ecr: { module: ecr, client: ecr.ECRClient },
  'ecr-public': { module: ecrPublic, client: ecrPublic.ECRPUBLICClient },
  ec2: { module: ec2Module, client: Ec2Client },
  elasticfilesystem: { module: efs, client: efs.EFSClient },
  elasticloadbalancing: { module: elbModule, client: ElbClient },
  classic: { module: classicModule, client: ClassicClient },
  ecs: { module: ecs, client: ecs.ECSClient },
  iam: { module: iam, client: iam.IAMClient },
  logs: { module: logsModule, client: LogsClient },
  monitoring: { module: cloudWatchModule, client: CloudWatchClient },
  autoscaling: { module: groupsModule, client: GroupsClient },
  'application-autoscaling': { module: scalingModule, client: ScalingClient },
  secretsmanager: { module: secretsModule, client: SecretsClient },
  ssm: { module: ssmModule, client: SsmClient },
  sts: { module: sts, client: sts.STSClient },
} as const;

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}
type Who = 'anonymous' | 'nobody' | 'reader' | 'other account' | 'expired' | 'admin';
interface Answer {
  readonly status: number;
  readonly code: string;
  readonly text: string;
}
type Sender = { send(command: object): Promise<object>; destroy(): void };

const callOf = (module: Readonly<Record<string, unknown>>) => (client: Sender, name: string, input: object) => {
  const Call = module[`${name}Command`] as new (input: object) => object;
  return client.send(new Call(input));
};
const ec2Call = callOf(ec2Module);
const elbCall = callOf(elbModule);
const acmCall = callOf(acmModule);
const classicCall = callOf(classicModule);
const logsCall = callOf(logsModule);
const alarmCall = callOf(cloudWatchModule);
const secretsCall = callOf(secretsModule);
const ssmCall = callOf(ssmModule);

const refusals = new Set([
  'AccessDenied',
  'AccessDeniedException',
  'UnauthorizedOperation',
  'AuthFailure',
  'RequestExpired',
  'MissingAuthenticationToken',
  'MissingAuthenticationTokenException',
  'ExpiredToken',
  'ExpiredTokenException',
  'UNAUTHORIZED',
  'DENIED',
]);
const refused = ({ status, code }: Answer): boolean => status >= 400 && status < 500 && refusals.has(code);

describe('A10: the authorization matrix of a whole installation', () => {
  const data = mkdtempSync(join(tmpdir(), 'slipway-matrix-'));
  let installation: Installation;
  let keys: Record<Exclude<Who, 'anonymous' | 'expired'>, Key>;
  const expiring: Key[] = [];
  let turn = 0;
  const passwords = new Map<Who, string>();
  const open: Sender[] = [];

  beforeAll(async () => {
    const config = readConfig({ SLIPWAY_DATA: data, SLIPWAY_PORT: '0', SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '1' });
    installation = await startInstallation(config, pino({ level: 'silent' }), { port: 0, metrics: new Registry() });
    const admin = installation.administrator as Key;
    const other = (await installation.identity.bootstrap(elsewhere)) as Key;
    keys = { admin, 'other account': other, nobody: admin, reader: admin };
    keys = {
      ...keys,
      nobody: await user('nobody'),
      reader: await user('reader', 'arn:aws:iam::aws:policy/ReadOnlyAccess'),
    };
    await as('admin', 'iam').send(
      new iam.CreateRoleCommand({ RoleName: 'short', AssumeRolePolicyDocument: trust, Description: canary }),
    );
    await as('admin', 'iam').send(
      new iam.AttachRolePolicyCommand({ RoleName: 'short', PolicyArn: 'arn:aws:iam::aws:policy/AdministratorAccess' }),
    );
    await as('admin', 'ecr').send(
      new ecr.CreateRepositoryCommand({ repositoryName: 'team/web', tags: [{ Key: 'seen', Value: canary }] }),
    );
    await as('admin', 'ecs').send(
      new ecs.TagResourceCommand({
        resourceArn: arn('ecs', 'cluster/default'),
        tags: [{ key: 'seen', value: canary }],
      }),
    );
    const tagged = /<vpcId>([^<]*)/.exec(JSON.stringify(await ec2Call(as('admin', 'ec2'), 'DescribeVpcs', {})))?.[1];
    const tags = [{ Key: 'seen', Value: canary }];
    await ec2Call(as('admin', 'ec2'), 'CreateTags', { Resources: [tagged], Tags: tags });
    const fileSystem = (await as('admin', 'elasticfilesystem').send(
      new efs.CreateFileSystemCommand({ CreationToken: 'canary', Tags: tags }),
    )) as efs.CreateFileSystemCommandOutput;
    // Ids of file systems are the server's to choose.
    Object.assign(valuesOf, { elasticfilesystem: { ...values, ResourceId: fileSystem.FileSystemId } });
    await logsCall(as('admin', 'logs'), 'CreateLogGroup', { logGroupName: 'canary', tags: { seen: canary } });
    const seen = { Name: 'canary', SecretString: canary, Tags: [{ Key: 'seen', Value: canary }] };
    await secretsCall(as('admin', 'secretsmanager'), 'CreateSecret', seen);
    await as('admin', 'codedeploy').send(
      new codedeploy.CreateApplicationCommand({ applicationName: 'sample', computePlatform: 'ECS', tags }),
    );
    await alarmCall(as('admin', 'monitoring'), 'PutCompositeAlarm', {
      AlarmName: 'canary',
      AlarmRule: 'FALSE',
      Tags: [{ Key: 'seen', Value: canary }],
    });
    await ssmCall(as('admin', 'ssm'), 'PutParameter', {
      Name: 'canary',
      Value: canary,
      Type: 'SecureString',
      Tags: [{ Key: 'seen', Value: canary }],
    });
    // Sessions of fifteen minutes, made ten minutes ago.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 600_000 });
    for (let i = 0; i < 80; i++) expiring.push(await session());
    vi.useRealTimers();
    // Nobody may log in to the registry, and then nothing.
    await as('admin', 'iam').send(
      new iam.PutUserPolicyCommand({
        UserName: 'nobody',
        PolicyName: 'login',
        PolicyDocument: JSON.stringify({
          Version: '2012-10-17',
          Statement: [{ Effect: 'Allow', Action: 'ecr:GetAuthorizationToken', Resource: '*' }],
        }),
      }),
    );
    for (const who of ['nobody', 'reader', 'other account', 'expired', 'admin'] as const) {
      const answer = (await as(who, 'ecr').send(
        new ecr.GetAuthorizationTokenCommand({}),
      )) as ecr.GetAuthorizationTokenCommandOutput;
      passwords.set(who, answer.authorizationData?.[0]?.authorizationToken ?? '');
    }
  });

  afterAll(async () => {
    for (const client of open) client.destroy();
    vi.useRealTimers();
    await installation.close();
    rmSync(data, { recursive: true, force: true });
  });

  async function session(): Promise<Key> {
    const { Credentials: made } = (await as('admin', 'sts').send(
      new sts.AssumeRoleCommand({
        RoleArn: `arn:aws:iam::${account}:role/short`,
        RoleSessionName: 'short',
        DurationSeconds: 900,
      }),
    )) as sts.AssumeRoleCommandOutput;
    return {
      accessKeyId: made?.AccessKeyId ?? '',
      secretAccessKey: made?.SecretAccessKey ?? '',
      sessionToken: made?.SessionToken ?? '',
    };
  }

  /** Sessions take turns, so that none fails so often that it is throttled instead of refused. */
  const keyOf = (who: Exclude<Who, 'anonymous'>): Key =>
    who === 'expired' ? (expiring[turn++ % expiring.length] as Key) : keys[who];

  /** Asked before every call, because what it gives has always run out. */
  const keyProvider = (who: Exclude<Who, 'anonymous'>) => async () => ({ ...keyOf(who), expiration: new Date(0) });

  function as(who: Who, service: keyof typeof clients): Sender {
    const client = new clients[service].client({
      endpoint: installation.listening.url,
      region,
      maxAttempts: 1,
      credentials: who === 'anonymous' ? { accessKeyId: 'AKIA', secretAccessKey: 'x' } : keyProvider(who),
      ...(who === 'anonymous' ? { signer: { sign: async (request: never) => request } } : {}),
    }) as unknown as Sender;
    open.push(client);
    return client;
  }

  async function user(name: string, policy?: string): Promise<Key> {
    const admin = as('admin', 'iam');
    await admin.send(new iam.CreateUserCommand({ UserName: name }));
    if (policy !== undefined) await admin.send(new iam.AttachUserPolicyCommand({ UserName: name, PolicyArn: policy }));
    const { AccessKey } = (await admin.send(
      new iam.CreateAccessKeyCommand({ UserName: name }),
    )) as iam.CreateAccessKeyCommandOutput;
    return { accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' };
  }

  type Route = Installation['routes'][number];

  async function call(route: Route, who: Who): Promise<Answer> {
    if (route.kind === 'aws') return callAws(route, who);
    if (route.kind === 'upgrade') return callUpgrade(route, who);
    const response = await fetch(`${installation.listening.url}${route.path ?? ''}`, {
      method: route.method ?? 'GET',
      headers: webHeaders(route, who),
    });
    const text = await response.text();
    const [, ours, ofS3] = /"code":"([A-Z_]+)"|<Code>(\w+)<\/Code>/.exec(text) ?? [];
    // The answer to HEAD has no body to name the error.
    const byStatus = ({ 401: 'UNAUTHORIZED', 403: 'DENIED', 400: 'ExpiredToken' } as Record<number, string>)[
      response.status
    ];
    const unnamed = response.status === 400 && route.method !== 'HEAD' ? undefined : byStatus;
    return { status: response.status, code: ours ?? ofS3 ?? unnamed ?? '', text };
  }

  /** Whose routes outside the AWS APIs want a signature, and for which service. */
  const signed = new Map([
    ['webhook-administration', 'ecs'],
    ['hook-administration', 'ecs'],
    ['alarm-administration', 'monitoring'],
    ['host-administration', 'ecs'],
    ['load-balancers', 'elasticloadbalancing'],
    ['agent-program', 'ecs'],
    ['console-code', 'ecs'],
    ['s3', 's3'],
  ]);

  /** What `who` sends to a route that is not an AWS API: docker's password, or a signature where the route asks for one. */
  function webHeaders({ service, method = 'GET', path = '/' }: Route, who: Who): Record<string, string> {
    const signedFor = signed.get(service);
    if (signedFor !== undefined && who !== 'anonymous') {
      const { host } = new URL(installation.listening.url);
      return aws4.sign({ method, host, path, service: signedFor, region }, keyOf(who)).headers as Record<
        string,
        string
      >;
    }
    const password = passwords.get(who);
    return password === undefined ? {} : { authorization: `Basic ${password}` };
  }

  const senders = new Map<string, Sender>();
  async function callAws({ service: name, operation, apiVersion }: Route, who: Who): Promise<Answer> {
    const service = apiVersion === '2012-06-01' ? 'classic' : name;
    const known = clients[service as keyof typeof clients];
    if (known === undefined) throw new Error(`add the SDK client of ${service} to this test`);
    const key = `${who} ${service}`;
    const sender = senders.get(key) ?? as(who, service as keyof typeof clients);
    senders.set(key, sender);
    const model = modelOf(known.module).operations.get(operation);
    if (model === undefined) throw new Error(`${service}:${operation} is not in the SDK`);
    const Command = (known.module as unknown as Record<string, new (input: object) => object>)[`${operation}Command`];
    if (Command === undefined) throw new Error(`the SDK has no command ${operation}`);
    try {
      const output = await sender.send(new Command(sampleInput(operation, model.input, valuesOf[service] ?? values)));
      return { status: 200, code: '', text: JSON.stringify(output) };
    } catch (error) {
      const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
      return { status: $metadata?.httpStatusCode ?? 0, code: name, text: `${name}: ${message}` };
    }
  }

  function callUpgrade({ path = '/', service }: Route, who: Who): Promise<Answer> {
    const url = new URL(installation.listening.url);
    const headers: Record<string, string> = {
      Host: url.host,
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Key': 'c2xpcHdheXNsaXB3YXkhIQ==',
      'Sec-WebSocket-Version': '13',
    };
    const target = `${path}?clusterArn=${arn('ecs', 'cluster/default')}&containerInstanceArn=${arn('ecs', `container-instance/default/${'0'.repeat(32)}`)}`;
    const signed =
      who === 'anonymous'
        ? headers
        : (aws4.sign({ method: 'GET', host: url.host, path: target, service, region, headers }, keyOf(who))
            .headers as Record<string, string>);
    return new Promise((resolve, reject) => {
      const request = httpRequest({ host: url.hostname, port: url.port, path: target, headers: signed });
      request.on('error', reject);
      request.on('upgrade', (response: IncomingMessage, socket) => {
        socket.destroy();
        resolve({ status: response.statusCode ?? 101, code: '', text: '' });
      });
      request.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => {
          const code = /"__type":"([A-Za-z]+)"/.exec(text)?.[1] ?? '';
          resolve({ status: response.statusCode ?? 0, code, text });
        });
      });
      request.end();
    });
  }

  /** What the account holds, as its administrator sees it. */
  async function holdings(): Promise<string> {
    const seen = await Promise.all([
      as('admin', 'ecr').send(new ecr.DescribeRepositoriesCommand({})),
      as('admin', 'ecr')
        .send(new ecr.GetRegistryPolicyCommand({}))
        .catch((error: Error) => ({ none: error.name })),
      as('admin', 'iam').send(new iam.GetAccountSummaryCommand({})),
      as('admin', 'iam').send(new iam.ListUsersCommand({})),
      as('admin', 'iam').send(new iam.ListRolesCommand({})),
      as('admin', 'iam').send(new iam.ListPoliciesCommand({ Scope: 'Local' })),
      as('admin', 'ecs').send(new ecs.DescribeClustersCommand({ include: ['TAGS', 'SETTINGS', 'STATISTICS'] })),
      as('admin', 'ecs').send(new ecs.ListTaskDefinitionsCommand({})),
      as('admin', 'ecs').send(new ecs.ListServicesCommand({})),
      as('admin', 'ecs').send(new ecs.ListContainerInstancesCommand({})),
      ...[
        'Vpcs',
        'Subnets',
        'SecurityGroups',
        'SecurityGroupRules',
        'RouteTables',
        'InternetGateways',
        'NatGateways',
        'Addresses',
        'DhcpOptions',
        'NetworkAcls',
        'NetworkInterfaces',
        'Tags',
      ].map((nouns) => ec2Call(as('admin', 'ec2'), `Describe${nouns}`, {})),
      acmCall(as('admin', 'acm'), 'ListCertificates', { Includes: { keyTypes: ['EC_prime256v1'] } }),
      classicCall(as('admin', 'classic'), 'DescribeLoadBalancers', {}),
      logsCall(as('admin', 'logs'), 'DescribeLogGroups', {}),
      // Their states change by themselves.
      alarmCall(as('admin', 'monitoring'), 'ListTagsForResource', { ResourceARN: arn('cloudwatch', 'alarm:canary') }),
      as('admin', 'codedeploy').send(new codedeploy.ListApplicationsCommand({})),
      secretsCall(as('admin', 'secretsmanager'), 'ListSecrets', {}),
      ssmCall(as('admin', 'ssm'), 'DescribeParameters', {}),
      logsCall(as('admin', 'logs'), 'ListTagsLogGroup', { logGroupName: 'canary' }),
      ...['LoadBalancers', 'TargetGroups'].map((nouns) =>
        elbCall(as('admin', 'elasticloadbalancing'), `Describe${nouns}`, {}),
      ),
    ]);
    const shown = seen.map((answer) => ({ ...answer, $metadata: undefined }));
    return JSON.stringify(shown).replaceAll(/<requestId>[^<]*/gi, '');
  }

  const routes = (): readonly Route[] => installation.routes.filter(({ kind }) => kind !== 'own');
  const label = ({ service, operation }: Route): string => `${service}:${operation}`;

  /** Calls everything as `who`; the routes for which the answer is not what `expected` says. */
  async function wrong(who: Who, expected: (route: Route) => boolean | undefined): Promise<string[]> {
    const problems: string[] = [];
    for (const route of routes()) {
      const wanted = expected(route);
      if (wanted === undefined) continue;
      const answer = await call(route, who);
      if (refused(answer) !== wanted || answer.status >= 500 || answer.status === 0)
        problems.push(`${label(route)}: ${answer.status} ${answer.text.slice(0, 300)}`);
    }
    return problems;
  }

  test('everything that is served is in it', () => {
    const all = routes().map(label);
    expect(all.length).toBeGreaterThan(150);
    expect(new Set(routes().map(({ service }) => service))).toEqual(
      new Set([
        'acm',
        'codedeploy',
        'ecr',
        'ecr-public',
        'ec2',
        'ecs',
        'elasticfilesystem',
        'elasticloadbalancing',
        'iam',
        'logs',
        'monitoring',
        'autoscaling',
        'application-autoscaling',
        'secretsmanager',
        'ssm',
        'sts',
        'distribution',
        'layers',
        'webhooks',
        'console',
        'console-code',
        'console-session',
        'webhook-administration',
        'hook-administration',
        'alarm-administration',
        'host-administration',
        'machine-join',
        'load-balancers',
        'agent-program',
        's3',
      ]),
    );
    expect(all).toContain('distribution:PUT manifest');
    expect(routes().some(({ kind }) => kind === 'upgrade')).toBe(true);
  });

  test('who is nobody gets nowhere, and nothing changes', async () => {
    const before = await holdings();
    expect(await wrong('anonymous', ({ access }) => (access === 'anonymous' ? undefined : true))).toEqual([]);
    expect(await holdings()).toBe(before);
  });

  test('a user without a grant gets nowhere, and nothing changes', async () => {
    const before = await holdings();
    const own = 'ecr:GetAuthorizationToken';
    const expected = (route: Route): boolean | undefined =>
      route.access === 'anonymous' ? undefined : route.access !== 'authenticated' && label(route) !== own;
    expect(await wrong('nobody', expected)).toEqual([]);
    expect(await holdings()).toBe(before);
  });

  test('a user who may read changes nothing', async () => {
    const before = await holdings();
    // Reports that IAM generates are read (ReadOnlyAccess has iam:Generate*).
    const reads =
      /^(?:Generate|Get|List|Describe|BatchGet|BatchCheck|Simulate|Validate|FilterLog|TestMetric|StartLiveTail|GET|Head|HEAD)/;
    // Tokens for others, half-done uploads and what hosts are given look like reading, and are not.
    const not = new Set(['sts:GetFederationToken', 'distribution:GET upload', 'agent-program:GET agent program']);
    // What is a secret is not for who may read everything else.
    const secretValues = new Set(
      ['GetSecretValue', 'BatchGetSecretValue', 'GetRandomPassword', 'ValidateResourcePolicy'].map(
        (name) => `secretsmanager:${name}`,
      ),
    );
    expect(
      await wrong('reader', (route) =>
        route.access === 'policy' && !not.has(label(route)) && route.kind !== 'upgrade'
          ? !reads.test(route.operation) || secretValues.has(label(route))
          : undefined,
      ),
    ).toEqual([]);
    expect(await holdings()).toBe(before);
  });

  test('the administrator of another account sees and changes nothing of this one', async () => {
    const before = await holdings();
    const seen: string[] = [];
    for (const route of routes()) {
      const { text } = await call(route, 'other account');
      if (text.includes(canary)) seen.push(`${label(route)}: ${text}`);
    }
    expect(seen).toEqual([]);
    expect(await holdings()).toBe(before);
  });

  test('the right one is let in', async () => {
    const seen = await Promise.all(
      routes()
        .filter(
          ({ service, operation }) =>
            // Nothing has tags there.
            !['ecr-public', 'application-autoscaling'].includes(service) &&
            /^List(?:TagsForResource|Roles)$/.test(operation),
        )
        .map(async (route) => (await call(route, 'admin')).text),
    );
    expect(seen.map((text) => text.includes(canary))).toEqual(Array.from({ length: 8 }, () => true));
    // Nobody's credentials are the secret that a webhook's deliveries are signed with.
    expect(await wrong('admin', ({ access }) => (access === 'anonymous' ? undefined : access === 'proof'))).toEqual([]);
  });

  test('every record that was written has a room that owns it', async () => {
    const { records } = installation.storage;
    const strays: string[] = [];
    for await (const partition of scanPartitions(records)) {
      for await (const { key } of scan(records, partition)) {
        if (ownerOf(layout, partition, key) === undefined) strays.push(`${partition}: ${key}`);
      }
    }
    expect(strays).toEqual([]);
  });

  test('credentials that have expired open nothing', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 360_000 });
    expect(await wrong('expired', ({ access }) => (access === 'anonymous' ? undefined : true))).toEqual([]);
  });
});
