import { describe, expect, test } from 'vitest';

import { type AgentTask, taskSchema } from '../../wire/index.ts';
import { withPause } from '../pause.ts';
import { awaitsSecrets, noRouters, type RouterPort, routingOf, routingRefusal, withRouter } from './index.ts';

const arn = 'arn:aws:ecs:us-east-1:000000000000:task/shop/0123456789abcdef0123456789abcdef';

interface Container {
  readonly name: string;
  readonly router?: { readonly type: string; readonly options?: Record<string, string> };
  readonly log?: Record<string, string>;
  readonly secrets?: readonly string[];
  readonly dependsOn?: readonly { readonly containerName: string; readonly condition: string }[];
}

const task = (containers: readonly Container[], networkMode = 'bridge'): AgentTask =>
  taskSchema.parse({
    arn,
    family: 'web',
    version: '7',
    desiredStatus: 'RUNNING',
    networkMode,
    containers: containers.map(({ name, router, log, secrets = [], dependsOn = [] }) => ({
      name,
      image: name,
      dependsOn,
      ...(router === undefined ? {} : { firelensConfiguration: router }),
      secrets: secrets.map((secret) => ({ name: secret, target: 'LOG_DRIVER' })),
      ...(log === undefined
        ? {}
        : { dockerConfig: { hostConfig: JSON.stringify({ LogConfig: { Type: 'awsfirelens', Config: log } }) } }),
    })),
  });

const router = { name: 'router', router: { type: 'fluentbit' } };
const app = { name: 'app', log: { Name: 'http', host: 'logs.example' }, secrets: ['header'] };
const plain = { name: 'plain' };

const written: string[] = [];
const routers: Pick<RouterPort, 'prepare' | 'socket'> = {
  prepare: (id, configuration) => {
    written.push(configuration);
    return Promise.resolve({
      configuration: `/run/${id}/conf`,
      added: `/run/${id}/added`,
      folder: `/run/${id}/socket`,
    });
  },
  socket: (id) => `/run/${id}/socket/fluent.sock`,
};

function routing(of: AgentTask, name: string) {
  const container = of.containers.find((candidate) => candidate.name === name);
  if (container === undefined) throw new Error(`no ${name}`);
  return routingOf(of, container, {
    routers,
    cluster: 'shop',
    secretsOf: (other) => ({ environment: {}, logOptions: other === 'app' ? { header: 'canary' } : {} }),
    addressOf: () => Promise.resolve('172.17.0.9'),
  });
}

describe('what containers get', () => {
  test('the router: its configuration, the folder of its socket, and the secrets of outputs as variables', async () => {
    const id = arn.slice(-32);
    expect(await routing(task([router, plain, app]), 'router')).toEqual({
      environment: { header_2: 'canary' },
      mounts: [
        { Type: 'bind', Source: `/run/${id}/conf`, Target: '/fluent-bit/etc/fluent-bit.conf', ReadOnly: true },
        { Type: 'bind', Source: `/run/${id}/socket`, Target: '/var/run' },
      ],
    });
    expect(written.at(-1)).toContain('header ${header_2}');
    expect(written.at(-1)).not.toContain('canary');
  });

  test.each([
    ['bridge', { FLUENT_HOST: '172.17.0.9', FLUENT_PORT: '24224' }],
    ['awsvpc', { FLUENT_HOST: '127.0.0.1', FLUENT_PORT: '24224' }],
    ['host', {}],
  ])(
    'a container whose output it takes, in network mode %s: its socket, and nothing secret',
    async (mode, environment) => {
      const id = arn.slice(-32);
      expect(await routing(task([router, app], mode), 'app')).toEqual({
        environment,
        mounts: [],
        log: {
          Type: 'fluentd',
          Config: {
            'fluentd-address': `unix:///run/${id}/socket/fluent.sock`,
            tag: `app-firelens-${id}`,
            'fluentd-async': 'true',
            'fluentd-sub-second-precision': 'true',
            'fluentd-buffer-limit': '4096',
          },
        },
      });
    },
  );

  test('what was read from S3 for the router is a file of it', async () => {
    const options = { 'config-file-type': 's3', 'config-file-value': 'arn:aws:s3:::settings/extra.conf' };
    const of = task([
      { name: 'router', router: { type: 'fluentd', options } },
      { ...app, log: { '@type': 'x' } },
    ]);
    const [container] = of.containers;
    if (container === undefined) throw new Error('no container');
    const { mounts } = await routingOf(of, container, {
      routers,
      cluster: 'shop',
      secretsOf: () => ({ environment: {}, logOptions: {}, routerConfiguration: '<match **>' }),
      addressOf: () => Promise.resolve(''),
    });
    expect(mounts.map(({ Target }) => Target)).toEqual([
      '/fluentd/etc/fluent.conf',
      '/fluentd/etc/external.conf',
      '/var/run',
    ]);
    expect(written.at(-1)).toContain('\n@include /fluentd/etc/external.conf\n');
  });

  test('another container, and one of another task: nothing', async () => {
    const nothing = { environment: {}, mounts: [] };
    expect(await routing(task([router, app, plain]), 'plain')).toEqual(nothing);
    expect(await routing(task([plain]), 'plain')).toEqual(nothing);
  });

  test('a host without routers says why', async () => {
    const of = task([router, app]);
    const [container] = of.containers;
    if (container === undefined) throw new Error('no container');
    const ports = {
      routers: noRouters('it has none'),
      cluster: 'shop',
      secretsOf: () => ({ environment: {}, logOptions: {} }),
      addressOf: () => Promise.resolve(''),
    };
    await expect(routingOf(of, container, ports)).rejects.toThrow('runs no log routers: it has none');
  });
});

test('containers whose output is routed start behind their router, once', () => {
  const dependsOn = [{ containerName: 'router', condition: 'HEALTHY' as const }];
  const ordered = withRouter(task([app, plain, router, { ...app, name: 'second', dependsOn }]));
  expect(ordered.containers.map(({ name, dependsOn: after }) => [name, after])).toEqual([
    ['app', [{ containerName: 'router', condition: 'START' }]],
    ['plain', []],
    ['router', []],
    ['second', dependsOn],
  ]);
  expect(withRouter(task([plain])).containers[0]?.dependsOn).toEqual([]);
});

test('a router waits for the secrets of the outputs', () => {
  const waiting = (of: AgentTask): string[] =>
    of.containers.filter((container) => awaitsSecrets(of, container)).map(({ name }) => name);
  expect(waiting(withPause(task([router, plain, app], 'awsvpc')))).toEqual(['router', 'app']);
  expect(waiting(task([router, { ...app, secrets: [] }]))).toEqual([]);
  const options = { 'config-file-type': 's3', 'config-file-value': 'arn:aws:s3:::settings/extra.conf' };
  const ofBucket = { name: 'router', router: { type: 'fluentbit', options } };
  expect(waiting(task([ofBucket, { ...app, secrets: [] }]))).toEqual(['router']);
});

describe('a task that a faulty or lying control plane sent', () => {
  test.each([
    [[app], /needs a container with a firelensConfiguration/],
    [[router, { ...router, name: 'second' }, app], /second: a task has one log router, and router is one/],
    [[{ ...router, log: { Name: 'x' } }], /cannot route its own output/],
    [[{ name: 'router', router: { type: 'sh' } }, app], /type of a log router/],
    [[router, { ...app, log: { Name: 'x', uri: 'a\n[OUTPUT]' } }], /app: The log option 'uri' has a line break/],
    [[router, { ...app, secrets: ['a b'] }], /in 'secretOptions'/],
  ] as const)('%#: %s', (containers, why) => {
    expect(routingRefusal(task(containers))).toMatch(why);
  });

  test('one that is as it should be is not refused', () => {
    expect(routingRefusal(task([router, app, plain]))).toBeUndefined();
    expect(routingRefusal(task([plain]))).toBeUndefined();
  });
});
