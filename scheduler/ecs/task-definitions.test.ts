import {
  DeleteTaskDefinitionsCommand,
  DeregisterTaskDefinitionCommand,
  DescribeTaskDefinitionCommand,
  ListTaskDefinitionFamiliesCommand,
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

describe('task definitions', () => {
  test('a definition reads back with the defaults that ECS fills in', async () => {
    await api.define({
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
    const taskDefinition = await api.define({
      family: 'on-host',
      networkMode: 'host',
      ...container({ portMappings: [{ containerPort: 8080 }] }),
    });
    expect(taskDefinition.containerDefinitions?.[0]?.portMappings).toEqual([
      { containerPort: 8080, hostPort: 8080, protocol: 'tcp' },
    ]);
  });

  test('a bare family is its newest ACTIVE revision; revisions are never reused', async () => {
    const revision = async (): Promise<string> =>
      (await api.define({ family: 'counted' })).taskDefinitionArn?.split('/')[1] ?? '';
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
    const all = await Promise.all(Array.from({ length: 12 }, () => api.define({ family: 'rush' })));
    const numbers = all.map(({ revision }) => revision ?? 0);
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, index) => index + 1));
  });

  test('revisions and families are listed by status, in both directions, page by page', async () => {
    for (let n = 0; n < 3; n++) await api.define({ family: 'listed' });
    await api.define({ family: 'listed-too' });
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
    await api.define({ family: 'doomed' });
    await api.define({ family: 'doomed' });
    await api.ecs.send(new DeregisterTaskDefinitionCommand({ taskDefinition: 'doomed:1' }));
    const { taskDefinitions, failures } = await api.ecs.send(
      new DeleteTaskDefinitionsCommand({ taskDefinitions: ['doomed:1', 'doomed:2', 'doomed:9'] }),
    );
    expect(taskDefinitions?.map(({ status }) => status)).toEqual(['DELETE_IN_PROGRESS']);
    expect(failures?.map(({ arn }) => arn?.split('/')[1])).toEqual(['doomed:2', 'doomed:9']);
  });

  test('a role can be named shortly, and is kept and passed by its ARN', async () => {
    api.asked.length = 0;
    const taskDefinition = await api.define({
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
    const taskDefinition = await api.define({ family: 'ports', ...container({ portMappings }) });
    expect(taskDefinition.containerDefinitions?.[0]?.portMappings).toEqual(portMappings);
    const both = await api.define({
      family: 'dns',
      networkMode: 'host',
      ...container({ portMappings: [{ containerPort: 53 }, { containerPort: 53, protocol: 'udp' }] }),
    });
    expect(both.revision).toBe(1);
  });

  test('limits may be equal: soft and hard, and what containers reserve and their task has', async () => {
    const taskDefinition = await api.define({
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
    const taskDefinition = await api.define({
      family: 'unlimited',
      ...container({
        ulimits: [
          { name: 'memlock', softLimit: -1, hardLimit: -1 },
          { name: 'core', softLimit: 0, hardLimit: -1 },
        ],
        extraHosts: [{ hostname: 'host', ipAddress: 'host-gateway' }],
      }),
    });
    expect(taskDefinition.revision).toBe(1);
  });

  test("a task's own volume may say autoprovision, which is only used with scope shared", async () => {
    const volumes = [{ name: 'v', dockerVolumeConfiguration: { scope: 'task' as const, autoprovision: true } }];
    const taskDefinition = await api.define({ family: 'own-volume', volumes });
    expect(taskDefinition.volumes).toEqual(volumes);
  });

  test('what containers share of a task needs an agent that can', async () => {
    const required = async (task: object): Promise<(string | undefined)[] | undefined> => {
      const taskDefinition = await api.define({ family: 'sharing', ...task });
      expect(taskDefinition).toMatchObject(task);
      return taskDefinition.requiresAttributes?.map(({ name }) => name);
    };
    for (const task of [{ pidMode: 'task' }, { ipcMode: 'task' }, { pidMode: 'host', ipcMode: 'none' }])
      expect(await required(task)).toContain('ecs.capability.pid-ipc-namespace-sharing');
    const fargate: Partial<RegisterTaskDefinitionCommandInput> = {
      networkMode: 'awsvpc',
      requiresCompatibilities: ['FARGATE'],
      cpu: '256',
      memory: '512',
    };
    expect(await required({ ...fargate, pidMode: 'task' })).toContain('ecs.capability.task-eni');
    expect(await required({})).not.toContain('ecs.capability.pid-ipc-namespace-sharing');
  });

  test('an empty text of an optional member counts as left out, where it is no value of its own', async () => {
    api.asked.length = 0;
    const taskDefinition = await api.define({
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
    const { taskRoleArn, executionRoleArn, networkMode, pidMode, ipcMode, cpu, memory } = taskDefinition;
    expect({ taskRoleArn, executionRoleArn, networkMode, pidMode, ipcMode, cpu, memory }).toEqual({});
    expect(taskDefinition.volumes).toEqual([{ name: 'data', host: {} }]);
    const main = taskDefinition.containerDefinitions?.[0];
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
    await api.define({ family: 'with-role', taskRoleArn: role, executionRoleArn: role });
    const passed = api.asked.filter(({ action }) => action === 'iam:PassRole');
    expect(passed).toEqual([
      {
        action: 'iam:PassRole',
        resources: [{ arn: role }],
        context: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' },
      },
    ]);
    api.denied.add('iam:PassRole');
    await expect(api.define({ family: 'not-mine', taskRoleArn: role })).rejects.toMatchObject({
      name: 'AccessDeniedException',
    });
    api.denied.clear();
  });
});
