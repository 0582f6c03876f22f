import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { TestControlPlane } from '../testing/bench.ts';
import { keysOf, principalOf, region } from '../testing/callers.ts';
import type { TaskDefinitionRecord, TaskRecord } from '../../state/index.ts';

import { taskSchema } from '../wire/index.ts';
import { renderTask } from './render.ts';
import { AgentBench } from '../testing/agent-peer.ts';

describe('what agents are sent', { timeout: 180_000 }, () => {
  let bench: AgentBench;
  let plane: TestControlPlane;
  beforeAll(async () => {
    bench = await AgentBench.open();
    ({ plane } = bench);
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  test('a task is rendered as amazon-ecs-agent reads it', async () => {
    const instance = await bench.register();
    const definition = await plane.register({
      networkMode: 'bridge',
      containerDefinitions: [
        {
          name: 'main',
          image: `${plane.endpoint.slice('http://'.length)}/web@sha256:${'0'.repeat(64)}`,
          essential: true,
          cpu: 10,
          memory: 64,
          memoryReservation: 32,
          environment: [{ name: 'A', value: '1' }],
          portMappings: [{ containerPort: 8080 }],
          healthCheck: { command: ['CMD-SHELL', 'true'], interval: 5 },
          user: 'nobody',
          ulimits: [{ name: 'nofile', softLimit: 1024, hardLimit: 2048 }],
          linuxParameters: { initProcessEnabled: true, capabilities: { drop: ['ALL'] } },
          logConfiguration: { logDriver: 'json-file', options: { 'max-size': '1m' } },
        },
      ],
    });
    const task = await plane.place(definition, instance, {
      overrides: {
        containerOverrides: [{ name: 'main', command: ['serve'], environment: [{ name: 'A', value: '2' }] }],
      },
    });
    const { task: rendered } = await bench.connect(instance).payload(task.arn, 'RUNNING');
    expect(rendered).toMatchObject({
      taskClusterArn: 'arn:aws:ecs:us-east-1:000000000000:cluster/default',
      family: definition.family,
      version: '1',
      networkMode: 'bridge',
      overrides: '{"containerOverrides":[]}',
    });
    // Nothing that is sent is unknown to the one description of it, or means something else to whoever reads by that.
    expect(taskSchema.parse(rendered)).toEqual(rendered);
    const [container] = rendered.containers;
    expect(container).toMatchObject({
      cpu: 10,
      memory: 64,
      command: ['serve'],
      environment: { A: '2' },
      overrides: '{}',
      portMappings: [{ containerPort: 8080, hostPort: 0, protocol: 'tcp' }],
      healthCheckType: 'docker',
      registryAuthentication: {
        type: 'ecr',
        ecrAuthData: { registryId: '000000000000', region, endpointOverride: plane.endpoint, useExecutionRole: false },
      },
    });
    expect(container).not.toHaveProperty('entryPoint');
    expect(JSON.parse(container?.dockerConfig.config ?? '')).toEqual({
      User: 'nobody',
      Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 5e9, Timeout: 5e9, Retries: 3 },
    });
    expect(JSON.parse(container?.dockerConfig.hostConfig ?? '')).toEqual({
      NetworkMode: 'bridge',
      MemoryReservation: 32 * 1024 * 1024,
      CapDrop: ['ALL'],
      Init: true,
      Ulimits: [{ Name: 'nofile', Soft: 1024, Hard: 2048 }],
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } },
    });
  });

  test("ECS's own words become Docker's: the stream of awslogs, and a size of tmpfs that no option overrides", async () => {
    const secret = 'a secret of the host, which is long';
    const instance = await bench.register({ secret });
    const awslogs = (options: Record<string, string>) => ({ logDriver: 'awslogs' as const, options });
    const group = { 'awslogs-group': 'g', 'awslogs-region': region };
    const elsewhere = { 'awslogs-endpoint': 'https://logs.example.com' };
    const definition = await plane.register({
      containerDefinitions: [
        {
          name: 'web',
          image: 'busybox',
          memory: 64,
          logConfiguration: awslogs({ ...group, ...elsewhere, 'awslogs-stream-prefix': 'app' }),
          linuxParameters: {
            tmpfs: [{ containerPath: '/t', size: 16, mountOptions: ['rw', 'size=8g', 'nr_blocks=9999999'] }],
          },
        },
        { name: 'side', image: 'busybox', memory: 64, logConfiguration: awslogs({ ...group, ...elsewhere }) },
        {
          name: 'here',
          image: 'busybox',
          memory: 64,
          logConfiguration: awslogs({
            ...group,
            'awslogs-stream-prefix': 'app',
            'awslogs-multiline-pattern': '^INFO',
            mode: 'non-blocking',
            'max-buffer-size': '25m',
          }),
        },
        {
          name: 'other',
          image: 'busybox',
          memory: 64,
          logConfiguration: {
            logDriver: 'json-file',
            options: { 'awslogs-stream-prefix': 'kept for the engine to refuse' },
          },
        },
      ],
    });
    const task = await plane.place(definition, instance);
    const { task: rendered } = await bench.connect(instance, { secret }).payload(task.arn, 'RUNNING');
    const hosts = rendered.containers.map(
      ({ dockerConfig }) =>
        JSON.parse(dockerConfig.hostConfig) as { Tmpfs?: Record<string, string>; LogConfig: object },
    );
    expect(hosts.map(({ LogConfig }) => LogConfig)).toEqual([
      { Type: 'awslogs', Config: { ...group, ...elsewhere, 'awslogs-stream': `app/web/${task.id}` } },
      { Type: 'awslogs', Config: { ...group, ...elsewhere } },
      // The agent takes it from where `docker logs` reads it, and it does not fill the disk.
      { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '5' } },
      { Type: 'json-file', Config: { 'awslogs-stream-prefix': 'kept for the engine to refuse' } },
    ]);
    expect(rendered.containers.map(({ logs }) => logs)).toEqual([
      undefined,
      undefined,
      { mode: 'non-blocking', maxBufferSize: 25 * 1024 * 1024, multilinePattern: '^INFO' },
      undefined,
    ]);
    expect(hosts[0]?.Tmpfs).toEqual({ '/t': 'rw,size=8g,nr_blocks=9999999,size=16m' });
  });

  test("agents that ship no logs have Docker's driver send them here, with the rights of the execution role", async () => {
    await using roles = await AgentBench.open({
      taskCredentials: async () => ({
        ...keysOf('two'),
        sessionToken: 'session',
        expiresAt: Date.now() + 3_600_000,
        principal: principalOf('two'),
      }),
    });
    const instance = await roles.register();
    const options = { 'awslogs-group': 'g', 'awslogs-region': 'eu-west-1', 'awslogs-create-group': 'true' };
    const logging = (more: Record<string, string>) => ({
      logDriver: 'awslogs' as const,
      options: { ...options, ...more },
    });
    const definition = await roles.plane.register({
      executionRoleArn: 'arn:aws:iam::000000000000:role/execution',
      containerDefinitions: [
        { name: 'web', image: 'a', memory: 64, logConfiguration: logging({ 'awslogs-stream-prefix': 'app' }) },
        { name: 'side', image: 'a', memory: 64, logConfiguration: logging({ mode: 'non-blocking' }) },
        { name: 'quiet', image: 'a', memory: 64 },
      ],
    });
    const task = await roles.plane.place(definition, instance);
    const { task: rendered } = await roles.connect(instance).payload(task.arn, 'RUNNING');
    const here = { 'awslogs-endpoint': roles.plane.endpoint, 'awslogs-region': region };
    expect(
      rendered.containers.map(
        ({ dockerConfig }) => (JSON.parse(dockerConfig.hostConfig) as { LogConfig?: object }).LogConfig,
      ),
    ).toEqual([
      { Type: 'awslogs', Config: { ...options, ...here, 'awslogs-stream': `app/web/${task.id}` } },
      { Type: 'awslogs', Config: { ...options, ...here, mode: 'non-blocking' } },
      undefined,
    ]);
    expect(rendered.containers.map(({ logs, logsAuthStrategy }) => [logs, logsAuthStrategy])).toEqual([
      [undefined, 'ExecutionRole'],
      [undefined, 'ExecutionRole'],
      [undefined, undefined],
    ]);
  });

  test('a task that cannot be rendered is stopped, and says why', async () => {
    const instance = await bench.register();
    const gone = await plane.place(await bench.simple(), instance, {
      taskDefinition: 'arn:aws:ecs:us-east-1:000000000000:task-definition/never:7',
    });
    const role = await plane.register({
      taskRoleArn: 'arn:aws:iam::000000000000:role/app',
      containerDefinitions: [{ name: 'main', image: 'web', memory: 32 }],
    });
    const roleless = await plane.place(role, instance);
    bench.connect(instance);
    expect((await plane.untilTask(gone.id, 'STOPPED')).stoppedReason).toMatch(/never:7 is gone/);
    expect(await plane.untilTask(roleless.id, 'STOPPED')).toMatchObject({
      stopCode: 'TaskFailedToStart',
      stoppedReason: /unable to assume the role .*role\/app: this test has no roles/,
    });
  });
});

test('a container runs the image that its task was given, not what its definition names', () => {
  const definition = {
    family: 'app',
    revision: 1,
    definition: {
      containerDefinitions: [
        { name: 'main', image: 'example.com/web:prod' },
        { name: 'other', image: 'busybox' },
      ],
    },
  } as unknown as TaskDefinitionRecord;
  const pinned = `example.com/web:prod@sha256:${'a'.repeat(64)}`;
  const task = { arn: 'arn', containers: [{ name: 'main', image: pinned }] } as unknown as TaskRecord;
  const rendered = renderTask(task, definition, {
    clusterArn: 'cluster',
    region,
    account: '000000000000',
    endpoint: 'http://127.0.0.1:7500',
    ownHost: () => false,
    shipsLogs: true,
    fileSystems: {},
  });
  expect(rendered.containers.map(({ image }) => image)).toEqual([pinned, 'busybox']);
});

test('what is empty or means nothing by itself is left to the image and to the engine', () => {
  const definition = {
    family: 'app',
    revision: 1,
    definition: {
      containerDefinitions: [
        { name: 'main', image: 'busybox', entryPoint: [], command: [], linuxParameters: { swappiness: 10 } },
        { name: 'swaps', image: 'busybox', memory: 64, linuxParameters: { swappiness: 10, maxSwap: 64 } },
      ],
    },
  };
  const { containers } = renderTask(
    { arn: 'arn:aws:ecs:us-east-1:000000000000:task/default/1', containers: [] } as unknown as TaskRecord,
    definition as unknown as TaskDefinitionRecord,
    {
      clusterArn: '',
      region,
      account: '000000000000',
      endpoint: 'http://127.0.0.1:7500',
      ownHost: () => false,
      shipsLogs: true,
      fileSystems: {},
    },
  );
  expect(containers[0]).not.toHaveProperty('entryPoint');
  expect(containers[0]).not.toHaveProperty('command');
  const [main, swaps] = containers.map(
    ({ dockerConfig }) => JSON.parse(dockerConfig?.hostConfig ?? '{}') as Record<string, unknown>,
  );
  expect(main).not.toHaveProperty('MemorySwappiness');
  expect(swaps).toMatchObject({ MemorySwappiness: 10, MemorySwap: 128 * 1024 * 1024 });
});

describe('whose image is pulled with a password of this installation', () => {
  const own = new Set(['127.0.0.1:7500', 'localhost:7500', 'registry.lan:7500', '10.0.0.5:7500']);
  const passwordFor = (image: string, endpoint: string): boolean => {
    const definition = { family: 'app', revision: 1, definition: { containerDefinitions: [{ name: 'main', image }] } };
    const { containers } = renderTask(
      { arn: 'arn:aws:ecs:us-east-1:000000000000:task/default/1', containers: [] } as unknown as TaskRecord,
      definition as unknown as TaskDefinitionRecord,
      {
        clusterArn: '',
        region,
        account: '000000000000',
        endpoint,
        ownHost: (host) => own.has(host),
        shipsLogs: true,
        fileSystems: {},
      },
    );
    return containers[0]?.registryAuthentication !== undefined;
  };

  test.each([
    ['127.0.0.1:7500/web:p', 'http://127.0.0.1:7500', true],
    ['localhost:7500/web:p', 'http://127.0.0.1:7500', true],
    ['registry.lan:7500/web:p', 'http://127.0.0.1:7500', true],
    ['127.0.0.2:7500/web:p', 'http://127.0.0.1:7500', false],
    ['127.0.0.1:7501/web:p', 'http://127.0.0.1:7500', false],
    ['[::1]:7500/web:p', 'http://127.0.0.1:7500', false],
    ['docker.io/web:p', 'http://127.0.0.1:7500', false],
    ['web:p', 'http://127.0.0.1:7500', false],
    ['10.0.0.5:7500/web:p', 'http://10.0.0.5:7500', true],
    ['unlisted.lan:7500/web:p', 'http://unlisted.lan:7500', true],
    ['unlisted.lan:7500/web:p', 'http://10.0.0.5:7500', false],
    // Loopback of another host is not ours.
    ['127.0.0.1:7500/web:p', 'http://10.0.0.5:7500', false],
    ['localhost:7500/web:p', 'http://registry.lan:7500', false],
  ])('%s, of an agent at %s: %s', (image, endpoint, given) => {
    expect(passwordFor(image, endpoint)).toBe(given);
  });
});
