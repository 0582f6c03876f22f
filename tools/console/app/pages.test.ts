import { expect, test } from 'vitest';
import { roundUp, unbroken } from './chart.tsx';
import { shortImage, visible } from './format.ts';
import { attention, healthOf, whyStopped } from './health.ts';
import { patternOf } from './logs.tsx';
import { routeOf } from './route.ts';
import type { ServiceRow } from './types.ts';

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
