import {
  type ContainerDefinition,
  DeleteTaskDefinitionsCommand,
  DeregisterTaskDefinitionCommand,
  DescribeTaskDefinitionCommand,
  ListTaskDefinitionFamiliesCommand,
  ListTaskDefinitionsCommand,
  RegisterTaskDefinitionCommand,
  type RegisterTaskDefinitionCommandInput,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openApi, type TestApi } from './testing/open-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const register = (input: Partial<RegisterTaskDefinitionCommandInput>) =>
  api.ecs.send(
    new RegisterTaskDefinitionCommand({
      family: 'refused',
      containerDefinitions: [{ name: 'main', image: 'busybox', memory: 64 }],
      ...input,
    }),
  );

/** A definition of one container with these members. */
const container = (members: Partial<ContainerDefinition>): Partial<RegisterTaskDefinitionCommandInput> => ({
  containerDefinitions: [{ name: 'main', image: 'busybox', memory: 64, ...members }],
});

const fargate = {
  networkMode: 'awsvpc' as const,
  requiresCompatibilities: ['FARGATE' as const],
  cpu: '256',
  memory: '512',
} satisfies Partial<RegisterTaskDefinitionCommandInput>;
const logs = { 'awslogs-group': 'a', 'awslogs-region': 'us-east-1' };

describe('task definitions', () => {
  test('a definition reads back with the defaults that ECS fills in', async () => {
    await register({
      family: 'web',
      containerDefinitions: [
        {
          name: 'main',
          image: 'registry.example.com/web:prod',
          memoryReservation: 64,
          portMappings: [{ containerPort: 80 }],
          healthCheck: { command: ['CMD-SHELL', 'true'] },
        },
      ],
      volumes: [{ name: 'scratch' }],
      cpu: '.5 vCPU',
      memory: '1 GB',
      tags: [{ key: 'team', value: 'a' }],
    });
    const { taskDefinition, tags } = await api.ecs.send(
      new DescribeTaskDefinitionCommand({ taskDefinition: 'web', include: ['TAGS'] }),
    );
    expect(taskDefinition).toEqual({
      taskDefinitionArn: 'arn:aws:ecs:us-east-1:000000000000:task-definition/web:1',
      family: 'web',
      revision: 1,
      status: 'ACTIVE',
      containerDefinitions: [
        {
          name: 'main',
          image: 'registry.example.com/web:prod',
          cpu: 0,
          memoryReservation: 64,
          portMappings: [{ containerPort: 80, hostPort: 0, protocol: 'tcp' }],
          essential: true,
          environment: [],
          mountPoints: [],
          volumesFrom: [],
          systemControls: [],
          healthCheck: { command: ['CMD-SHELL', 'true'], interval: 30, timeout: 5, retries: 3 },
        },
      ],
      volumes: [{ name: 'scratch', host: {} }],
      placementConstraints: [],
      compatibilities: ['EXTERNAL', 'EC2'],
      cpu: '512',
      memory: '1024',
      requiresAttributes: [
        { name: 'com.amazonaws.ecs.capability.docker-remote-api.1.21' },
        { name: 'com.amazonaws.ecs.capability.docker-remote-api.1.24' },
        { name: 'ecs.capability.container-health-check' },
        { name: 'ecs.capability.task-cpu-mem-limit' },
      ],
      registeredAt: expect.any(Date) as Date,
      registeredBy: 'arn:aws:iam::000000000000:user/admin',
    });
    expect(tags).toEqual([{ key: 'team', value: 'a' }]);
  });

  test('with host networking the host port is the container port', async () => {
    const { taskDefinition } = await register({
      family: 'on-host',
      networkMode: 'host',
      ...container({ portMappings: [{ containerPort: 8080 }] }),
    });
    expect(taskDefinition?.containerDefinitions?.[0]?.portMappings).toEqual([
      { containerPort: 8080, hostPort: 8080, protocol: 'tcp' },
    ]);
  });

  test('a bare family is its newest ACTIVE revision; revisions are never reused', async () => {
    const revision = async (): Promise<string> =>
      (await register({ family: 'counted' })).taskDefinition?.taskDefinitionArn?.split('/')[1] ?? '';
    const describe = (taskDefinition: string) => api.ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition }));
    const deregister = (taskDefinition: string) =>
      api.ecs.send(new DeregisterTaskDefinitionCommand({ taskDefinition }));
    expect([await revision(), await revision(), await revision()]).toEqual(['counted:1', 'counted:2', 'counted:3']);
    await deregister('counted:2');
    const inactive = await deregister('counted:3');
    expect(inactive.taskDefinition).toMatchObject({ status: 'INACTIVE', deregisteredAt: expect.any(Date) as Date });
    expect((await describe('counted')).taskDefinition?.revision).toBe(1);
    expect((await describe('counted:3')).taskDefinition?.status).toBe('INACTIVE');
    await deregister('counted:1');
    await expect(describe('counted')).rejects.toMatchObject({
      name: 'ClientException',
      message: 'Unable to describe task definition.',
    });
    expect(await revision()).toBe('counted:4');
  });

  test('revisions registered at the same time all get their own number', async () => {
    const all = await Promise.all(Array.from({ length: 12 }, () => register({ family: 'rush' })));
    const numbers = all.map(({ taskDefinition }) => taskDefinition?.revision ?? 0);
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, index) => index + 1));
  });

  test('revisions and families are listed by status, in both directions, page by page', async () => {
    for (let n = 0; n < 3; n++) await register({ family: 'listed' });
    await register({ family: 'listed-too' });
    await api.ecs.send(new DeregisterTaskDefinitionCommand({ taskDefinition: 'listed-too:1' }));
    const list = async (input: ConstructorParameters<typeof ListTaskDefinitionsCommand>[0]): Promise<string[]> => {
      const names: string[] = [];
      let nextToken: string | undefined;
      do {
        const page = await api.ecs.send(
          new ListTaskDefinitionsCommand({ ...input, ...(nextToken ? { nextToken } : {}) }),
        );
        names.push(...(page.taskDefinitionArns ?? []).map((arn) => arn.split('/')[1] ?? ''));
        nextToken = page.nextToken;
      } while (nextToken !== undefined);
      return names;
    };
    expect(await list({ familyPrefix: 'listed', maxResults: 2 })).toEqual(['listed:1', 'listed:2', 'listed:3']);
    expect(await list({ familyPrefix: 'listed', sort: 'DESC', maxResults: 2 })).toEqual([
      'listed:3',
      'listed:2',
      'listed:1',
    ]);
    expect(await list({ status: 'INACTIVE', familyPrefix: 'listed-too' })).toEqual(['listed-too:1']);
    const families = await api.ecs.send(
      new ListTaskDefinitionFamiliesCommand({ familyPrefix: 'listed', status: 'ACTIVE' }),
    );
    expect(families.families).toEqual(['listed']);
    const all = await api.ecs.send(new ListTaskDefinitionFamiliesCommand({ familyPrefix: 'listed', status: 'ALL' }));
    expect(all.families).toEqual(['listed', 'listed-too']);
  });

  test('only INACTIVE revisions are deleted; the others are failures', async () => {
    await register({ family: 'doomed' });
    await register({ family: 'doomed' });
    await api.ecs.send(new DeregisterTaskDefinitionCommand({ taskDefinition: 'doomed:1' }));
    const { taskDefinitions, failures } = await api.ecs.send(
      new DeleteTaskDefinitionsCommand({ taskDefinitions: ['doomed:1', 'doomed:2', 'doomed:9'] }),
    );
    expect(taskDefinitions?.map(({ status }) => status)).toEqual(['DELETE_IN_PROGRESS']);
    expect(failures?.map(({ arn }) => arn?.split('/')[1])).toEqual(['doomed:2', 'doomed:9']);
  });

  test('a role can be named shortly, and is kept and passed by its ARN', async () => {
    api.asked.length = 0;
    const { taskDefinition } = await register({
      family: 'short-role',
      taskRoleArn: 'myTaskRole',
      executionRoleArn: 'exec',
    });
    const arn = (name: string) => `arn:aws:iam::000000000000:role/${name}`;
    expect(taskDefinition).toMatchObject({ taskRoleArn: arn('myTaskRole'), executionRoleArn: arn('exec') });
    const passed = api.asked
      .filter(({ action }) => action === 'iam:PassRole')
      .map(({ resources }) => resources[0]?.arn);
    expect(passed).toEqual([arn('myTaskRole'), arn('exec')]);
  });

  test('one container port is open for TCP and for UDP, and on several ports of the host', async () => {
    const portMappings = [
      { containerPort: 53, hostPort: 53, protocol: 'tcp' as const },
      { containerPort: 53, hostPort: 53, protocol: 'udp' as const },
      { containerPort: 80, hostPort: 8080, protocol: 'tcp' as const },
      { containerPort: 80, hostPort: 8081, protocol: 'tcp' as const },
      { containerPort: 80, hostPort: 0, protocol: 'tcp' as const },
    ];
    const { taskDefinition } = await register({ family: 'ports', ...container({ portMappings }) });
    expect(taskDefinition?.containerDefinitions?.[0]?.portMappings).toEqual(portMappings);
    const both = await register({
      family: 'dns',
      networkMode: 'host',
      ...container({ portMappings: [{ containerPort: 53 }, { containerPort: 53, protocol: 'udp' }] }),
    });
    expect(both.taskDefinition?.revision).toBe(1);
  });

  test('limits may be equal: soft and hard, and what containers reserve and their task has', async () => {
    const { taskDefinition } = await register({
      family: 'equal',
      cpu: '256',
      memory: '128',
      containerDefinitions: [
        { name: 'a', image: 'b', memory: 64, memoryReservation: 64, cpu: 128 },
        { name: 'b', image: 'b', memory: 128, memoryReservation: 64, cpu: 128 },
      ],
    });
    expect(taskDefinition).toMatchObject({ cpu: '256', memory: '128' });
  });

  test('limits may be unlimited, and a name may stand for the container instance', async () => {
    const { taskDefinition } = await register({
      family: 'unlimited',
      ...container({
        ulimits: [
          { name: 'memlock', softLimit: -1, hardLimit: -1 },
          { name: 'core', softLimit: 0, hardLimit: -1 },
        ],
        extraHosts: [{ hostname: 'host', ipAddress: 'host-gateway' }],
      }),
    });
    expect(taskDefinition?.revision).toBe(1);
  });

  test("a task's own volume may say autoprovision, which is only used with scope shared", async () => {
    const volumes = [{ name: 'v', dockerVolumeConfiguration: { scope: 'task' as const, autoprovision: true } }];
    const { taskDefinition } = await register({ family: 'own-volume', volumes });
    expect(taskDefinition?.volumes).toEqual(volumes);
  });

  test('what containers share of a task needs an agent that can', async () => {
    const required = async (task: object): Promise<(string | undefined)[] | undefined> => {
      const { taskDefinition } = await register({ family: 'sharing', ...task });
      expect(taskDefinition).toMatchObject(task);
      return taskDefinition?.requiresAttributes?.map(({ name }) => name);
    };
    for (const task of [{ pidMode: 'task' }, { ipcMode: 'task' }, { pidMode: 'host', ipcMode: 'none' }])
      expect(await required(task)).toContain('ecs.capability.pid-ipc-namespace-sharing');
    expect(await required({ ...fargate, pidMode: 'task' })).toContain('ecs.capability.task-eni');
    expect(await required({})).not.toContain('ecs.capability.pid-ipc-namespace-sharing');
  });

  test('an empty text of an optional member counts as left out, where it is no value of its own', async () => {
    api.asked.length = 0;
    const { taskDefinition } = await register({
      family: 'empty-texts',
      taskRoleArn: '',
      executionRoleArn: '',
      networkMode: '' as 'bridge',
      pidMode: '' as 'host',
      ipcMode: '' as 'host',
      cpu: '',
      memory: '',
      runtimePlatform: { cpuArchitecture: '' as 'ARM64', operatingSystemFamily: '' as 'LINUX' },
      volumes: [{ name: 'data', host: { sourcePath: '' } }],
      tags: [{ key: 'team', value: '' }],
      ...container({
        user: '',
        hostname: '',
        portMappings: [{ name: '', containerPort: 80, protocol: '' as 'tcp', appProtocol: '' as 'http' }],
        environment: [{ name: 'EMPTY', value: '' }],
        dockerLabels: { empty: '' },
        command: ['echo', ''],
      }),
    });
    expect(api.asked.map(({ action }) => action)).not.toContain('iam:PassRole');
    const { taskRoleArn, executionRoleArn, networkMode, pidMode, ipcMode, cpu, memory } = taskDefinition ?? {};
    expect({ taskRoleArn, executionRoleArn, networkMode, pidMode, ipcMode, cpu, memory }).toEqual({});
    expect(taskDefinition?.volumes).toEqual([{ name: 'data', host: {} }]);
    const main = taskDefinition?.containerDefinitions?.[0];
    expect(main).toMatchObject({
      portMappings: [{ containerPort: 80, hostPort: 0, protocol: 'tcp' }],
      environment: [{ name: 'EMPTY', value: '' }],
      dockerLabels: { empty: '' },
      command: ['echo', ''],
    });
    expect([main?.user, main?.hostname, main?.portMappings?.[0]?.name]).toEqual([undefined, undefined, undefined]);
    const described = await api.ecs.send(
      new DescribeTaskDefinitionCommand({ taskDefinition: 'empty-texts', include: ['TAGS'] }),
    );
    expect(described.tags).toEqual([{ key: 'team', value: '' }]);
  });

  test('handing over roles needs iam:PassRole on each', async () => {
    api.asked.length = 0;
    const role = 'arn:aws:iam::000000000000:role/task';
    await register({ family: 'with-role', taskRoleArn: role, executionRoleArn: role });
    const passed = api.asked.filter(({ action }) => action === 'iam:PassRole');
    expect(passed).toEqual([
      {
        action: 'iam:PassRole',
        resources: [{ arn: role }],
        context: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' },
      },
    ]);
    api.denied.add('iam:PassRole');
    await expect(register({ family: 'not-mine', taskRoleArn: role })).rejects.toMatchObject({
      name: 'AccessDeniedException',
    });
    api.denied.clear();
  });

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
    const refusal = register(input);
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
