import {
  DescribeTaskDefinitionCommand,
  ListTaskDefinitionsCommand,
  type RegisterTaskDefinitionCommandInput,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { container } from './testing/definitions.ts';
import { openApi, type TestApi } from './testing/open-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const fargate = {
  networkMode: 'awsvpc' as const,
  requiresCompatibilities: ['FARGATE' as const],
  cpu: '256',
  memory: '512',
} satisfies Partial<RegisterTaskDefinitionCommandInput>;
const logs = { 'awslogs-group': 'a', 'awslogs-region': 'us-east-1' };

describe('task definitions', () => {
  test.each<[string, Partial<RegisterTaskDefinitionCommandInput>, RegExp]>([
    ['a bad family', { family: 'no spaces' }, /family/],
    ['no containers', { containerDefinitions: [] }, /cannot be empty/],
    [
      'two containers of one name',
      {
        containerDefinitions: [
          { name: 'a', image: 'b', memory: 6 },
          { name: 'a', image: 'b', memory: 6 },
        ],
      },
      /Duplicate container/,
    ],
    [
      'eleven containers',
      { containerDefinitions: Array.from({ length: 11 }, (_, n) => ({ name: `c${n}`, image: 'b', memory: 6 })) },
      /'containerDefinitions' failed to satisfy constraint: Member must have length less than or equal to 10/,
    ],
    ['a bad container name', container({ name: 'a b' }), /container name/],
    ['no image', container({ image: '' }), /image should not be null/],
    ['an impossible image', container({ image: 'a b' }), /characters/],
    [
      'no memory anywhere',
      { containerDefinitions: [{ name: 'main', image: 'b' }] },
      /At least one of 'memory' or 'memoryReservation'/,
    ],
    ['too little memory', container({ memory: 3 }), /'memory'/],
    ['a soft limit above the hard one', container({ memory: 64, memoryReservation: 128 }), /memoryReservation/],
    ['a container larger than its task', { memory: '32', ...container({}) }, /above the task's/],
    ['a size that is none', { cpu: 'lots' }, /'cpu'/],
    ['too little CPU', { cpu: '64' }, /128/],
    ['no essential container', container({ essential: false }), /essential/],
    ['Fargate on a bridge', { requiresCompatibilities: ['FARGATE'] }, /Fargate only supports network mode 'awsvpc'/],
    ['managed instances', { requiresCompatibilities: ['MANAGED_INSTANCES'] }, /MANAGED_INSTANCES/],
    [
      'Fargate without a size',
      { networkMode: 'awsvpc', requiresCompatibilities: ['FARGATE'], memory: '512' },
      /requires that 'cpu' be defined/,
    ],
    [
      'a size that Fargate does not have',
      { networkMode: 'awsvpc', requiresCompatibilities: ['FARGATE'], cpu: '256', memory: '4096' },
      /No Fargate configuration exists for given values/,
    ],
    [
      'another host port with awsvpc',
      { networkMode: 'awsvpc', ...container({ portMappings: [{ containerPort: 80, hostPort: 81 }] }) },
      /When networkMode=awsvpc, the host ports and container ports/,
    ],
    ['links with awsvpc', { networkMode: 'awsvpc', ...container({ links: ['main'] }) }, /[Ll]ink/],
    [
      'a host name with awsvpc',
      { networkMode: 'awsvpc', ...container({ hostname: 'web' }) },
      /'hostname' is not supported/,
    ],
    ['an unknown network mode', { networkMode: 'magic' as 'host' }, /networkMode/],
    [
      'two host ports alike',
      container({
        portMappings: [
          { containerPort: 80, hostPort: 80 },
          { containerPort: 81, hostPort: 80 },
        ],
      }),
      /Host port 80/,
    ],
    [
      'one container port twice on ports that the engine picks',
      container({ portMappings: [{ containerPort: 80 }, { containerPort: 80, protocol: 'tcp', hostPort: 0 }] }),
      /80\/tcp is mapped more than once/,
    ],
    [
      'a port that a range of the same protocol has',
      container({ portMappings: [{ containerPortRange: '80-90' }, { containerPort: 85, hostPort: 8085 }] }),
      /mapped more than once/,
    ],
    [
      'one container port twice on the host',
      {
        networkMode: 'host',
        ...container({ portMappings: [{ containerPort: 53 }, { containerPort: 53, hostPort: 53 }] }),
      },
      /mapped more than once/,
    ],
    [
      'containers that reserve more memory than their task has',
      {
        memory: '128',
        containerDefinitions: [
          { name: 'a', image: 'b', memoryReservation: 64 },
          { name: 'b', image: 'b', memory: 65 },
        ],
      },
      /reserve 129 of memory, which is above the task's memory \(128\)/,
    ],
    [
      'containers that reserve more CPU than their task has',
      {
        cpu: '256',
        containerDefinitions: [
          { name: 'a', image: 'b', memory: 6, cpu: 128 },
          { name: 'b', image: 'b', memory: 6, cpu: 129 },
        ],
      },
      /reserve 257 of cpu/,
    ],
    ['an empty text where one is required', { family: '' }, /family name ''/],
    ['a port beyond 65535', container({ portMappings: [{ containerPort: 70_000 }] }), /containerPort/],
    [
      'unequal ports on the host',
      { networkMode: 'host', ...container({ portMappings: [{ containerPort: 80, hostPort: 81 }] }) },
      /networkMode=host/,
    ],
    [
      'ports without a network',
      { networkMode: 'none', ...container({ portMappings: [{ containerPort: 80 }] }) },
      /network mode 'none'/,
    ],
    ['links on the host', { networkMode: 'host', ...container({ links: ['x'] }) }, /Links/],
    ['an unknown link', container({ links: ['x'] }), /'x'/],
    [
      'an unknown volume',
      container({ mountPoints: [{ sourceVolume: 'v', containerPath: '/v' }] }),
      /Unknown volume 'v'/,
    ],
    ['a dependency on nothing', container({ dependsOn: [{ containerName: 'x', condition: 'START' }] }), /'x'/],
    [
      'waiting for the health of a container without a check',
      {
        containerDefinitions: [
          { name: 'main', image: 'b', memory: 6, dependsOn: [{ containerName: 'db', condition: 'HEALTHY' }] },
          { name: 'db', image: 'b', memory: 6 },
        ],
      },
      /no health check/,
    ],
    [
      'waiting for the end of an essential container',
      {
        containerDefinitions: [
          { name: 'main', image: 'b', memory: 6, dependsOn: [{ containerName: 'db', condition: 'SUCCESS' }] },
          { name: 'db', image: 'b', memory: 6 },
        ],
      },
      /essential/,
    ],
    [
      'a circle',
      {
        containerDefinitions: [
          { name: 'a', image: 'b', memory: 6, dependsOn: [{ containerName: 'b', condition: 'START' }] },
          { name: 'b', image: 'b', memory: 6, volumesFrom: [{ sourceContainer: 'a' }] },
        ],
      },
      /circle: a -> b -> a/,
    ],
    ['a health check without a command', container({ healthCheck: { command: [] } }), /command/],
    ['a health check every second', container({ healthCheck: { command: ['true'], interval: 1 } }), /interval/],
    ['an unknown log driver', container({ logConfiguration: { logDriver: 'smoke' as 'syslog' } }), /logDriver/],
    ['awslogs without a group', container({ logConfiguration: { logDriver: 'awslogs' } }), /awslogs-group/],
    ...(
      [
        ['a log group with a blank in its name', { 'awslogs-group': 'a b' }, /'awslogs-group' .* cannot be 'a b'/],
        ['a log group that may be made perhaps', { 'awslogs-create-group': 'maybe' }, /cannot be 'maybe'/],
        ['a stream prefix that no stream has', { 'awslogs-stream-prefix': 'a:b' }, /'awslogs-stream-prefix'/],
        ['a buffer of no size', { 'max-buffer-size': 'lots' }, /'max-buffer-size'/],
        ['an unknown mode of delivery', { mode: 'sometimes' }, /'mode' .* cannot be 'sometimes'/],
        ["Docker's name of the stream", { 'awslogs-stream': 'x' }, /awslogs disallows options: awslogs-stream/],
        ['an option that is a member of every object', { constructor: 'x' }, /disallows options: constructor/],
      ] as const
    ).map(([what, more, message]): [string, Partial<RegisterTaskDefinitionCommandInput>, RegExp] => [
      what,
      container({
        logConfiguration: {
          logDriver: 'awslogs',
          options: { 'awslogs-group': 'a', 'awslogs-region': 'us-east-1', ...more },
        },
      }),
      message,
    ]),
    [
      'Fargate with awslogs and no execution role',
      {
        ...fargate,
        ...container({
          logConfiguration: { logDriver: 'awslogs', options: { ...logs, 'awslogs-stream-prefix': 'a' } },
        }),
      },
      /execution role ARN to support log driver awslogs/,
    ],
    [
      'Fargate with awslogs and no prefix of streams',
      {
        ...fargate,
        executionRoleArn: 'pull',
        ...container({ logConfiguration: { logDriver: 'awslogs', options: logs } }),
      },
      /awslogs-stream-prefix/,
    ],
    [
      'Fargate with an image of ECR and no execution role',
      { ...fargate, ...container({ image: '000000000000.dkr.ecr.us-east-1.amazonaws.com/web:1' }) },
      /execution role ARN to support ECR images/,
    ],
    ['an unknown ulimit', container({ ulimits: [{ name: 'love' as 'cpu', softLimit: 1, hardLimit: 1 }] }), /ulimits/],
    ['an unknown capability', container({ linuxParameters: { capabilities: { add: ['CAP_FLY'] } } }), /CAP_FLY/],
    [
      'a system control of the whole host',
      container({ systemControls: [{ namespace: 'vm.swappiness', value: '1' }] }),
      /vm.swappiness/,
    ],
    [
      'a restart period of a second',
      container({ restartPolicy: { enabled: true, restartAttemptPeriod: 1 } }),
      /restartAttemptPeriod/,
    ],
    ['secrets and no execution role', container({ secrets: [{ name: 'a', valueFrom: 'b' }] }), /'executionRoleArn'/],
    ['a secret without a source', container({ secrets: [{ name: 'a', valueFrom: '' }] }), /name and a valueFrom/],
    [
      'a secret without a name of a variable',
      container({ secrets: [{ name: '=a', valueFrom: 'b' }] }),
      /'=a' has a cha/,
    ],
    [
      'a secret of the name of a variable',
      container({ environment: [{ name: 'a', value: 'b' }], secrets: [{ name: 'a', valueFrom: 'b' }] }),
      /The secret name must be unique .* such as 'a'/,
    ],
    [
      'a secret of another service',
      container({ secrets: [{ name: 'a', valueFrom: 'arn:aws:s3:::bucket' }] }),
      /neither the ARN of a parameter nor of a secret/,
    ],
    [
      'a secret with half a selector',
      container({ secrets: [{ name: 'a', valueFrom: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:a:key' }] }),
      /':<JSON key>:<label>:<version>'/,
    ],
    [
      'a log option that is no secret',
      container({ logConfiguration: { logDriver: 'splunk', secretOptions: [{ name: 'splunk-url', valueFrom: 'b' }] } }),
      /only splunk-token of splunk and those of awsfirelens can/,
    ],
    [
      'a login that is a parameter',
      container({ repositoryCredentials: { credentialsParameter: 'login' } }),
      /must be the ARN of a secret/,
    ],
    [
      'environment files and no role to read them with',
      container({ environmentFiles: [{ type: 's3', value: 'arn:aws:s3:::bucket/x.env' }] }),
      /'executionRoleArn'/,
    ],
    [
      'an environment file that is no .env',
      container({ environmentFiles: [{ type: 's3', value: 'arn:aws:s3:::bucket/x.txt' }] }),
      /must end in \.env/,
    ],
    [
      'an environment file that is no object',
      container({ environmentFiles: [{ type: 's3', value: 's3://bucket/x.env' }] }),
      /is not the ARN of an object/,
    ],
    [
      'eleven environment files',
      container({ environmentFiles: Array(11).fill({ type: 's3', value: 'arn:aws:s3:::bucket/x.env' }) }),
      /at most 10 environment files/,
    ],
    ['GPUs', container({ resourceRequirements: [{ type: 'GPU', value: '1' }] }), /resourceRequirements/],
    [
      'a file system that is none',
      { volumes: [{ name: 'v', efsVolumeConfiguration: { fileSystemId: 'fs-1' } }] },
      /no id of a file system/,
    ],
    [
      'a root directory that leads up',
      {
        volumes: [
          { name: 'v', efsVolumeConfiguration: { fileSystemId: 'fs-0123456789abcdef0', rootDirectory: '/a/../../b' } },
        ],
      },
      /must be an absolute path/,
    ],
    [
      'a relative root directory',
      {
        volumes: [{ name: 'v', efsVolumeConfiguration: { fileSystemId: 'fs-0123456789abcdef0', rootDirectory: 'a' } }],
      },
      /must be an absolute path/,
    ],
    [
      'a port of encryption',
      {
        volumes: [
          { name: 'v', efsVolumeConfiguration: { fileSystemId: 'fs-0123456789abcdef0', transitEncryptionPort: 2999 } },
        ],
      },
      /transitEncryptionPort/,
    ],
    [
      'an access point without encryption',
      {
        volumes: [
          {
            name: 'v',
            efsVolumeConfiguration: {
              fileSystemId: 'fs-0123456789abcdef0',
              authorizationConfig: { accessPointId: 'fsap-0123456789abcdef0' },
            },
          },
        ],
      },
      /needs 'transitEncryption' ENABLED/,
    ],
    [
      'an access point and a root directory',
      {
        volumes: [
          {
            name: 'v',
            efsVolumeConfiguration: {
              fileSystemId: 'fs-0123456789abcdef0',
              rootDirectory: '/a',
              transitEncryption: 'ENABLED' as const,
              authorizationConfig: { accessPointId: 'fsap-0123456789abcdef0' },
            },
          },
        ],
      },
      /must be omitted or '\/'/,
    ],
    [
      'IAM without a role',
      {
        volumes: [
          {
            name: 'v',
            efsVolumeConfiguration: {
              fileSystemId: 'fs-0123456789abcdef0',
              transitEncryption: 'ENABLED' as const,
              authorizationConfig: { iam: 'ENABLED' as const },
            },
          },
        ],
      },
      /set 'taskRoleArn'/,
    ],
    ['EBS volumes', { volumes: [{ name: 'v', configuredAtLaunch: true }] }, /no EBS volumes.*efsVolumeConfiguration/],
    [
      'S3 Files volumes',
      {
        volumes: [{ name: 'v', s3filesVolumeConfiguration: { fileSystemArn: 'arn:aws:s3files:r:1:file-system/fs-1' } }],
      },
      /s3filesVolumeConfiguration/,
    ],
    [
      'an unlimited soft limit under a hard one',
      container({ ulimits: [{ name: 'nofile', softLimit: -1, hardLimit: 4096 }] }),
      /soft limit/,
    ],
    [
      'a system control without a value',
      container({ systemControls: [{ namespace: 'net.core.somaxconn' }] }),
      /net.core.somaxconn' needs a value/,
    ],
    [
      'two ways to tell log messages apart',
      container({
        logConfiguration: {
          logDriver: 'awslogs',
          options: {
            'awslogs-group': 'a',
            'awslogs-region': 'us-east-1',
            'awslogs-datetime-format': '%Y',
            'awslogs-multiline-pattern': '^x',
          },
        },
      }),
      /not both/,
    ],
    ['a health check that is none', container({ healthCheck: { command: ['NONE'] } }), /leave out 'healthCheck'/],
    [
      'two volumes at one path',
      {
        volumes: [{ name: 'v' }, { name: 'w' }],
        ...container({
          mountPoints: [
            { sourceVolume: 'v', containerPath: '/v' },
            { sourceVolume: 'w', containerPath: '/v' },
          ],
        }),
      },
      /'\/v'/,
    ],
    [
      'a host name without an address',
      container({ extraHosts: [{ hostname: 'db', ipAddress: 'db.internal' }] }),
      /IP addresses, not 'db.internal'/,
    ],
    ['a DNS server that is no address', container({ dnsServers: ['1.2'] }), /not '1.2'/],
    ['a relative host path', { volumes: [{ name: 'v', host: { sourcePath: 'data' } }] }, /absolute/],
    ['Windows', { runtimePlatform: { operatingSystemFamily: 'WINDOWS_SERVER_2022_CORE' } }, /WINDOWS/],
    [
      'less storage than there is anyway',
      { ...fargate, ephemeralStorage: { sizeInGiB: 20 } },
      /from 21 to 200, not 20/,
    ],
    ['more storage than there is', { ...fargate, ephemeralStorage: { sizeInGiB: 201 } }, /from 21 to 200, not 201/],
    ['half a GiB of storage', { ...fargate, ephemeralStorage: { sizeInGiB: 21.5 } }, /integer|21\.5/i],
    [
      'storage on container instances',
      { ephemeralStorage: { sizeInGiB: 30 } },
      /'ephemeralStorage' is only supported for tasks of Fargate/,
    ],
    ['processes shared with a container', { pidMode: 'container:x' as 'task' }, /pidMode.*container:x/],
    ['no processes', { pidMode: 'none' as 'task' }, /pidMode.*none/],
    ['memory shared with a container', { ipcMode: 'shareable' as 'task' }, /ipcMode.*shareable/],
    [
      'Fargate with the processes of the host',
      { ...fargate, pidMode: 'host' },
      /Fargate does not support pidMode 'host'/,
    ],
    ['Fargate with shared memory', { ...fargate, ipcMode: 'task' }, /Fargate does not support 'ipcMode'/],
    ['a role that is none', { taskRoleArn: 'a role' }, /taskRoleArn/],
    ['the path of a role', { executionRoleArn: 'team/role' }, /executionRoleArn/],
    [
      'distinctInstance in a definition',
      { placementConstraints: [{ type: 'distinctInstance' as 'memberOf' }] },
      /memberOf/,
    ],
    [
      'a constraint that does not parse',
      { placementConstraints: [{ type: 'memberOf', expression: 'attribute:x ==' }] },
      /Invalid expression/,
    ],
    ['more than 64 KiB', container({ environment: [{ name: 'a', value: 'x'.repeat(70_000) }] }), /65536 bytes/],
  ])('RegisterTaskDefinition refuses %s', async (_what, input, message) => {
    const refusal = api.define({ family: 'refused', ...input });
    await expect(refusal).rejects.toThrow(message);
    await expect(refusal).rejects.toMatchObject({
      name: expect.stringMatching(/^(Client|InvalidParameter)Exception$/) as string,
    });
    const { taskDefinitionArns } = await api.ecs.send(new ListTaskDefinitionsCommand({ familyPrefix: 'refused' }));
    expect(taskDefinitionArns).toEqual([]);
  });

  test.each([
    ['refused:abc', /revision/],
    ['refused:0', /revision/],
    ['nothing', /Unable to describe/],
    ['a:b:c', /identifier/],
    ['arn:aws:ecs:us-east-1:000000000000:cluster/default', /not of type/],
  ])('DescribeTaskDefinition refuses %s', async (taskDefinition, message) => {
    await expect(api.ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition }))).rejects.toThrow(message);
  });
});
