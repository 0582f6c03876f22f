import { stripVTControlCharacters } from 'node:util';
import { ECSClient } from '@aws-sdk/client-ecs';
import { expect, test } from 'vitest';
import { hostRow, hostsTable } from './hosts.ts';
import { imageRow, imagesTable, scanWords } from './images.ts';
import { ageOf, bytesOf, table } from './output.ts';
import { serviceRow, servicesTable } from './ps-services.ts';
import { rowOf, shortImage, taskRows, tasksTable } from './ps.ts';

/** What the lists show of what the APIs say; their tables have no colours where standard output is no terminal. */
const now = Date.parse('2026-11-30T12:00:00Z');
const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
const lines = (text: string): readonly string[] =>
  stripVTControlCharacters(text)
    .split('\n')
    .map((line) => line.replaceAll(/ {2,}/g, ' | '));

test('tasks of one host are found among very many, and a list says how many it leaves out', async () => {
  const client = Object.assign(new ECSClient({ region: 'us-east-1' }), {
    send: ({ constructor: { name }, input }: { constructor: { name: string }; input: { tasks?: string[] } }) => {
      if (name === 'ListTasksCommand')
        return Promise.resolve({ taskArns: Array.from({ length: 1500 }, (_, i) => `arn:x:task/default/${i}`) });
      if (name !== 'DescribeTasksCommand') return Promise.resolve({});
      const host = (taskArn: string): string => (taskArn.endsWith('/1499') ? 'other' : 'usual');
      return Promise.resolve({
        tasks: input.tasks?.map((taskArn) => ({ taskArn, containerInstanceArn: `arn:x:ci/default/${host(taskArn)}` })),
      });
    },
  });
  const all = await taskRows(client, 'default', undefined, {});
  expect([all.rows.length, all.left]).toEqual([1000, 500]);
  const one = await taskRows(client, 'default', undefined, { host: 'oth' });
  expect([one.rows.map(({ task }) => task), one.left]).toEqual([['1499'], 0]);
  const most = await taskRows(client, 'default', undefined, { host: 'usual' });
  expect([most.rows.length, most.left]).toEqual([1000, 499]);
});

test('a task with ports of its host', () => {
  const row = rowOf(
    {
      taskArn: 'arn:aws:ecs:us-east-1:0:task/default/abc',
      group: 'service:web',
      taskDefinitionArn: 'arn:aws:ecs:us-east-1:0:task-definition/web:3',
      lastStatus: 'RUNNING',
      healthStatus: 'HEALTHY',
      createdAt: new Date(now - 3 * 3_600_000),
      containers: [
        {
          name: 'web',
          image: '127.0.0.1:7500/web:prod',
          imageDigest: digest,
          lastStatus: 'RUNNING',
          networkBindings: [{ bindIP: '0.0.0.0', containerPort: 8080, hostPort: 32_768, protocol: 'tcp' }],
        },
        { name: 'log', image: 'ghcr.io/a/log', lastStatus: 'RUNNING' },
      ],
    },
    { containerInstanceArn: 'arn:aws:ecs:us-east-1:0:container-instance/default/0123456789abcdef' },
  );
  expect(row).toMatchObject({ task: 'abc', group: 'web', taskDefinition: 'web:3', host: '0123456789abcdef' });
  expect(lines(tasksTable([row], '127.0.0.1:7500', now))).toEqual([
    'SERVICE | IMAGE | STATUS | HEALTH | HOST | ADDRESS | AGE | TASK | REASON',
    'web | web:prod@0123456789ab, ghcr.io/a/log | RUNNING | HEALTHY | 0123456789ab | 0.0.0.0:32768 | 3h | abc',
  ]);
});

test('a task with an address of its own; one that stopped, with why', () => {
  const own = rowOf({
    attachments: [{ details: [{ name: 'privateIPv4Address', value: '10.0.0.7' }] }],
    healthStatus: 'UNKNOWN',
    containers: [
      {
        name: 'dns',
        networkBindings: [
          { containerPort: 53, protocol: 'udp' },
          { containerPort: 80, protocol: 'tcp' },
        ],
      },
    ],
  });
  expect(own.addresses).toEqual(['10.0.0.7:53/udp', '10.0.0.7:80']);
  expect(own).not.toHaveProperty('health');
  const gone = rowOf({
    lastStatus: 'STOPPED',
    stoppedReason: 'Essential container in task exited',
    containers: [{ name: 'a', exitCode: 3, lastStatus: 'STOPPED' }],
  });
  expect(gone.reason).toBe('Essential container in task exited; a: exit 3');
});

test.each([
  ['web:1', undefined, 'web:1'],
  [`h:1/web@${digest}`, undefined, 'web@0123456789ab'],
  [`h:2/web:1@${digest}`, digest, 'h:2/web:1@0123456789ab'],
])('the image %s is shown short', (image, of, short) => {
  expect(shortImage(image, of, 'h:1')).toBe(short);
});

test('a service in one line, with what stands in its way', () => {
  const row = serviceRow({
    serviceName: 'web',
    status: 'ACTIVE',
    runningCount: 1,
    desiredCount: 2,
    pendingCount: 1,
    taskDefinition: 'a/web:3',
    loadBalancers: [{ targetGroupArn: 'arn:aws:elasticloadbalancing:r:0:targetgroup/web/1' }],
    createdAt: new Date(now - 60_000),
    deployments: [{ status: 'PRIMARY', rolloutState: 'FAILED', rolloutStateReason: 'why' }],
  });
  expect(lines(servicesTable([row], now))[1]).toBe('web | 1/2 (+1) | web:3 | web | 1m | the deployment failed: why');
});

test('an image with its scan and who runs it', () => {
  const row = imageRow(
    {
      repositoryName: 'web',
      imageTags: ['prod', 'latest'],
      imageDigest: digest,
      imageSizeInBytes: 1_234_567,
      imagePushedAt: new Date(now - 90_000),
      imageScanStatus: { status: 'COMPLETE' },
      imageScanFindingsSummary: { findingSeverityCounts: { LOW: 4, CRITICAL: 2 } },
    },
    new Map([[digest, new Set(['default/web', 'default/api'])]]),
  );
  expect(lines(imagesTable([row], now))).toEqual([
    'REPOSITORY | TAGS | DIGEST | SIZE | PUSHED | SCAN | USED BY',
    'web | latest, prod | 0123456789ab | 1.23 MB | 1m ago | 2 CRITICAL, 4 LOW | default/api, default/web',
  ]);
  expect(scanWords(undefined)).toBe('');
  expect(scanWords({ status: 'COMPLETE', findings: {} })).toBe('clean');
  expect(scanWords({ status: 'UNSUPPORTED_IMAGE', findings: {} })).toBe('unsupported image');
});

test('a host with what is free on it', () => {
  const resources = (cpu: number, memory: number) => [
    { name: 'CPU', integerValue: cpu },
    { name: 'MEMORY', integerValue: memory },
  ];
  const row = hostRow({
    containerInstanceArn: 'arn:aws:ecs:us-east-1:0:container-instance/default/0123',
    status: 'DRAINING',
    agentConnected: false,
    runningTasksCount: 2,
    pendingTasksCount: 1,
    registeredResources: resources(2048, 4096),
    remainingResources: resources(1024, 96),
    attributes: [{ name: 'ecs.availability-zone', value: 'a' }],
    statusReason: 'away since noon',
  });
  expect(lines(hostsTable([row]))[1]).toBe(
    '0123 | DRAINING | away | 2 (+1) | 1024/2048 | 96/4096 | a | away since noon',
  );
});

test('cells do nothing to a terminal, and stay on their line', () => {
  expect(lines(table(['A', 'B'], [['\u001b[2Jx\ny', '\u0007z']]))).toEqual(['A | B', 'x y | \ufffdz']);
});

test.each([
  [0, '0s'],
  [59_999, '59s'],
  [60_000, '1m'],
  [86_399_000, '23h'],
  [9 * 86_400_000, '9d'],
  [-5, '0s'],
])('%d ms are %s', (ms, text) => {
  expect(ageOf(now - ms, now)).toBe(text);
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.00 kB'],
  [12_345_678_901, '12.3 GB'],
])('%d bytes are %s', (bytes, text) => {
  expect(bytesOf(bytes)).toBe(text);
});
