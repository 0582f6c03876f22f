import { describe, expect, test } from 'vitest';
import { AwsError } from './aws.ts';
import { roundUp, unbroken } from './chart.tsx';
import { widgetsOf } from './dashboards-data.ts';
import { CurrentDeployment } from './deployments.tsx';
import { around, difference, linesOf } from './difference.ts';
import { shortImage, visible } from './format.ts';
import { attention, healthOf, whyStopped } from './health.ts';
import { patternOf } from './logs.tsx';
import { blocksOf } from './packing.tsx';
import { findingsOf, usersOf, versionIn } from './repositories-data.ts';
import { lineIn, wrongIn } from './policy-data.ts';
import { routeOf } from './route.ts';
import type { ServiceRow } from './types.ts';
import { waitingOf } from './waiting.tsx';

const service = (change: Partial<ServiceRow>): ServiceRow => ({
  serviceName: 'web',
  clusterArn: 'arn:aws:ecs:us-east-1:000000000000:cluster/default',
  status: 'ACTIVE',
  desiredCount: 2,
  runningCount: 2,
  deployments: [{ status: 'PRIMARY', rolloutState: 'COMPLETED', runningCount: 2, desiredCount: 2 }],
  ...change,
});
const deploying = { status: 'PRIMARY', rolloutState: 'IN_PROGRESS', runningCount: 1 } as const;

test('a service is told in one word', () => {
  const words = [
    service({}),
    service({ runningCount: 1 }),
    service({ runningCount: 0 }),
    service({ desiredCount: 0, runningCount: 0 }),
    service({ status: 'DRAINING' }),
    service({ deployments: [deploying, { status: 'ACTIVE' }] }),
    service({ deployments: [{ ...deploying, failedTasks: 1 }, { status: 'ACTIVE' }] }),
    service({ deployments: [{ status: 'PRIMARY', rolloutState: 'FAILED' }] }),
  ].map((one) => healthOf(one).word);
  expect(words).toEqual([
    'Steady',
    'Short of tasks',
    'Down',
    'Scaled to zero',
    'Going away',
    'Deploying',
    'Deploying, tasks fail',
    'Deployment failed',
  ]);
});

test('of a service that lacks tasks it is told why they fit nowhere, for as long as they do not', () => {
  const lacks = [{ ...deploying, desiredCount: 5, runningCount: 2, pendingCount: 1 }];
  const said = (...messages: readonly string[]): ServiceRow['events'] =>
    messages.map((message) => ({ message: `(service web) ${message}` }));
  const cannot = 'was unable to place a task because of its memory.';
  const steady = 'has reached a steady state.';
  const told = [
    service({ deployments: lacks, events: said('has started 2 tasks: (task a) (task b).', cannot, steady) }),
    // The end of it came later; it is about another time; none is lacking; nobody wants them any more.
    service({ deployments: lacks, events: said(steady, cannot) }),
    service({ deployments: lacks, events: said('has started 2 tasks: (task a) (task b).') }),
    service({ events: said(cannot) }),
    service({ status: 'DRAINING', deployments: lacks, events: said(cannot) }),
  ].map((one) => waitingOf([one]).map(({ missing, why }) => [missing, why]));
  expect(told).toEqual([[[2, cannot]], [], [], [], []]);
});

test('what needs attention has the worst first, and says where to look', () => {
  const found = attention(
    [service({ serviceName: 'a', runningCount: 1 }), service({ serviceName: 'b', runningCount: 0 })],
    [
      { ec2InstanceId: 'i-1', agentConnected: false },
      { ec2InstanceId: 'i-2', agentConnected: true },
    ],
    [{ AlarmName: 'errors', StateReason: 'too many' }],
  );
  expect(found.map(({ title }) => title)).toEqual([
    'b: down',
    'Host i-1 is not connected',
    'a: short of tasks',
    'Alarm errors',
  ]);
  expect(found[0]?.to).toEqual(['services', 'default', 'b']);
});

test('texts of users keep what they say, and lose what they would do', () => {
  expect(visible('a\u001b[31mb\u0000\u202ec\u200bd\u2066e\r\nf\tg')).toBe(
    'a⟨1b⟩[31mb⟨00⟩⟨202e⟩c⟨200b⟩d⟨2066⟩e⟨0d⟩\nf\tg',
  );
  expect(visible('<b>é 日本 👋</b>')).toBe('<b>é 日本 👋</b>');
  expect(routeOf('#/services/a%2Fb/%E0%A4%A')).toEqual(['services', 'a/b', '%E0%A4%A']);
  expect(patternOf('say "\\"')).toBe('"say \\"\\\\\\""');
  expect(patternOf('')).toBeUndefined();
});

test('an image is named without the registry and most of its digest', () => {
  expect(shortImage('127.0.0.1:7500/team/web:prod')).toBe('team/web:prod');
  expect(shortImage(`localhost:5000/web@sha256:${'ab'.repeat(32)}`)).toBe('web@sha256:abababababab');
  expect(shortImage('nginx:1')).toBe('nginx:1');
});

test('a question about a deployment goes with it: another one has another place on the page', () => {
  const placeOf = (serviceDeploymentArn: string): unknown =>
    CurrentDeployment({ deployment: { serviceDeploymentArn }, definitionOf: new Map(), again: () => undefined }).key;
  expect([placeOf('first'), placeOf('second')]).toEqual(['first', 'second']);
});

test('a stopped task tells its reason, and how its containers ended', () => {
  expect(
    whyStopped('Essential container exited', [{ name: 'web', exitCode: 137, reason: 'OutOfMemoryError' }, {}]),
  ).toBe('Essential container exited — web: exit code 137, OutOfMemoryError');
  expect(whyStopped(undefined, undefined)).toBe('');
});

test('curves have round scales and keep their gaps', () => {
  expect([0, 0.03, 1.2, 49, 51, 100].map(roundUp)).toEqual([1, 0.05, 2, 50, 100, 100]);
  expect(
    unbroken(
      [
        [0, 1],
        [60, 2],
        [240, 3],
      ],
      150,
    ),
  ).toEqual([
    [
      [0, 1],
      [60, 2],
    ],
    [[240, 3]],
  ]);
});

test('two revisions differ by what they run, and values of variables are not told', () => {
  const revision = (memory: number, secret: string, order: object = {}) => ({
    ...order,
    taskDefinitionArn: `web:${memory}`,
    registeredAt: memory,
    containerDefinitions: [{ name: 'web', memory, environment: [{ name: 'KEY', value: secret }] }],
    family: 'web',
  });
  const lines = difference(linesOf(revision(64, 'hunter2')), linesOf(revision(96, 'hunter3', { family: 'web' })));
  const changed = lines.filter(({ kind }) => kind !== 'same');
  expect(changed.map(({ kind, text }) => `${kind} ${text.trim().replace(/[0-9a-f]{4}\)/, '#)')}`)).toEqual([
    'old "memory": 64,',
    'new "memory": 96,',
    'old "KEY = (7 characters, #)"',
    'new "KEY = (7 characters, #)"',
  ]);
  expect(JSON.stringify(lines)).not.toContain('hunter');
  expect(around(difference(['a', 'b', 'c', 'd', 'e', 'f'], ['a', 'b', 'c', 'd', 'e', 'g']), 1)).toEqual([
    undefined,
    { kind: 'same', text: 'e' },
    { kind: 'old', text: 'f' },
    { kind: 'new', text: 'g' },
  ]);
  expect(difference([], [])).toEqual([]);
  expect(difference([], ['x'])).toEqual([{ kind: 'new', text: 'x' }]);
});

test('an image is found in the services that run it, by tag and by digest, whatever name the registry has', () => {
  const uri = '127.0.0.1:7500/team/web';
  const digest = `sha256:${'ab'.repeat(32)}`;
  expect(versionIn('127.0.0.1:7500/team/web:prod', uri)).toBe('prod');
  expect(versionIn('registry.example.com/team/web', uri)).toBe('latest');
  expect(versionIn(`127.0.0.1:7500/team/web@${digest}`, uri)).toBe(digest);
  expect(versionIn('127.0.0.1:7500/team/website:prod', uri)).toBeUndefined();
  expect(versionIn('nginx:1', uri)).toBeUndefined();
  const uses = new Map([
    ['prod', [service({})]],
    [digest, [service({}), service({ serviceName: 'api' })]],
  ]);
  expect(usersOf({ imageDigest: digest, imageTags: ['prod'] }, uses)).toEqual(['default/web', 'default/api']);
  expect(usersOf({ imageDigest: 'sha256:0' }, uses)).toEqual([]);
});

test('scans are told by the worst they found', () => {
  const scanned = { imageScanStatus: { status: 'COMPLETE' } } as const;
  expect(findingsOf({})).toBeUndefined();
  expect(findingsOf(scanned)).toBe('nothing found');
  expect(findingsOf({ ...scanned, imageScanFindingsSummary: { findingSeverityCounts: { LOW: 3, CRITICAL: 1 } } })).toBe(
    '1 critical, 3 low',
  );
});

test('what runs on a host is told by service, with what it reserves', () => {
  const blocks = blocksOf([
    { group: 'service:web', cpu: '256', memory: '512' },
    { group: 'service:web', cpu: '256', memory: '512' },
    { group: 'family:job', containers: [{ memory: '64' }, { memory: '128', memoryReservation: '32' }] },
  ]);
  expect(blocks.map(({ group, count, cpu, memory }) => [group, count, cpu, memory])).toEqual([
    ['job', 1, 0, 96],
    ['web', 2, 512, 1024],
  ]);
});

test('what the server finds wrong in a policy is told with its place, and leads to that line', () => {
  const wrong = (message: string) =>
    wrongIn(new AwsError('CreatePolicy', 'MalformedPolicyDocumentException', message, ''));
  expect(wrong('The list is empty (Statement[1].Action, line 12, column 7)')).toEqual({
    problem: 'The list is empty',
    place: { path: 'Statement[1].Action', line: 12, column: 7 },
  });
  expect(wrong('Bad (x) Json (line 1, column 2)')).toEqual({
    problem: 'Bad (x) Json',
    place: { path: undefined, line: 1, column: 2 },
  });
  expect(wrong('no place')).toEqual({ problem: 'no place', place: { path: undefined, line: 1, column: 1 } });
  expect(wrongIn(new AwsError('CreatePolicy', 'LimitExceededException', 'line 1, column 1', ''))).toBeUndefined();
  expect([1, 2, 3, 9].map((line) => lineIn('a\nbc\n', line))).toEqual([
    { from: 0, to: 1 },
    { from: 2, to: 4 },
    { from: 5, to: 5 },
    { from: 5, to: 5 },
  ]);
});

describe('a dashboard', () => {
  const metrics = (rows: readonly unknown[], properties: object = {}) => {
    const [widget] =
      widgetsOf(JSON.stringify({ widgets: [{ type: 'metric', properties: { metrics: rows, ...properties } }] })) ?? [];
    if (widget?.kind !== 'metrics') throw new Error('it has no metrics');
    return widget.curves;
  };

  test('says a metric once, and dots for what the row above has', () => {
    const rows = [
      ['AWS/ECS', 'CPUUtilization', 'ClusterName', 'default', 'ServiceName', 'web'],
      ['.', 'MemoryUtilization', '.', '.', '.', '.', { stat: 'Maximum', period: 60, label: 'memory' }],
      ['...', 'api'],
    ];
    const named = (ServiceName: string) => [
      { Name: 'ClusterName', Value: 'default' },
      { Name: 'ServiceName', Value: ServiceName },
    ];
    const common = { isShown: true, period: 300 };
    const of = (metric: string, service: string, stat: string) => ({
      of: { namespace: 'AWS/ECS', metric, dimensions: named(service), stat },
    });
    expect(metrics(rows)).toEqual([
      { id: 'q0', label: 'CPUUtilization default web', ...common, ...of('CPUUtilization', 'web', 'Average') },
      { id: 'q1', label: 'memory', ...common, period: 60, ...of('MemoryUtilization', 'web', 'Maximum') },
      { id: 'q2', label: 'MemoryUtilization default api', ...common, ...of('MemoryUtilization', 'api', 'Average') },
    ]);
  });

  test('has expressions of metrics that are not shown themselves', () => {
    const rows = [
      ['N', 'errors', { id: 'e', visible: false }],
      [{ expression: 'e * 100', label: 'errors, %', id: 'share' }],
      [{ expression: 'RATE(e)' }],
    ];
    expect(metrics(rows, { period: 60, stat: 'Sum' })).toMatchObject([
      { id: 'e', isShown: false, period: 60, of: { stat: 'Sum' } },
      { id: 'share', label: 'errors, %', isShown: true, of: { expression: 'e * 100' } },
      { id: 'q2', label: 'RATE(e)', of: { expression: 'RATE(e)' } },
    ]);
  });

  test('shows texts and alarms, names what it does not know, and leaves out what is nothing', () => {
    const alarm = 'arn:aws:cloudwatch:us-east-1:000000000000:alarm:web: errors';
    const widgets = [
      { type: 'text', properties: { markdown: '# <b>' } },
      { type: 'alarm', properties: { title: 'state', alarms: [alarm] } },
      { type: 'metric', properties: { annotations: { alarms: [alarm] } } },
      { type: 'log', properties: {} },
      { properties: 7 },
      'nothing',
      { type: 'metric', properties: { metrics: [7, ['a'], ['a', 'b', 'c'], [{}], [null], ['...']] } },
    ];
    expect(widgetsOf(JSON.stringify({ widgets }))).toEqual([
      { kind: 'text', text: '# <b>' },
      { kind: 'alarms', title: 'state', names: ['web: errors'] },
      { kind: 'alarms', title: '', names: ['web: errors'] },
      { kind: 'unknown', type: 'log' },
      { kind: 'unknown', type: '' },
      { kind: 'metrics', title: '', curves: [], left: -20 },
    ]);
    for (const body of ['', '7', '[]', '{"widgets"']) expect(widgetsOf(body)).toBeUndefined();
    expect(widgetsOf('{"widgets": {}}')).toEqual([]);
    expect(widgetsOf(JSON.stringify({ widgets: Array.from({ length: 80 }, () => ({})) }))).toHaveLength(50);
  });
});
