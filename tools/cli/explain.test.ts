import { ECSClient } from '@aws-sdk/client-ecs';
import { expect, test } from 'vitest';
import { followStopped, isolated, reasonOf, tasksOf, waitsFor } from './explain.ts';

const said = '(service web) does not follow web: arn:aws:iam::000000000000:user/dev may not do this any more.';
const service = {
  serviceName: 'web',
  tags: [{ key: 'slipway:follow', value: 'true' }],
  deployments: [
    { status: 'PRIMARY', createdAt: new Date(1000) },
    { status: 'ACTIVE', createdAt: new Date(5000) },
  ],
  events: [
    { message: '(service web) has reached a steady state.', createdAt: new Date(3000) },
    { message: said, createdAt: new Date(2000) },
  ],
};

test('why a service does not follow its images is said until a later deployment, and while it follows', () => {
  expect(followStopped(service)).toBe('web: arn:aws:iam::000000000000:user/dev may not do this any more.');
  expect(
    followStopped({ ...service, deployments: [{ status: 'PRIMARY', createdAt: new Date(2500) }] }),
  ).toBeUndefined();
  expect(followStopped({ ...service, tags: [] })).toBeUndefined();
  expect(followStopped({ ...service, events: [{ message: `x ${said}`, createdAt: new Date(2000) }] })).toBeUndefined();
});

test('what the containers of a task wait for is said while it starts', () => {
  const db = { name: 'db', lastStatus: 'RUNNING', healthStatus: 'UNHEALTHY' } as const;
  const app = { name: 'app', lastStatus: 'PENDING', healthStatus: 'UNKNOWN' } as const;
  expect(waitsFor({ lastStatus: 'PENDING', containers: [db, app] })).toBe(
    'app not started yet: db is RUNNING, health UNHEALTHY',
  );
  const init = { name: 'init', lastStatus: 'RUNNING' } as const;
  const definitions = [
    { name: 'init' },
    { name: 'db', startTimeout: 90 },
    {
      name: 'app',
      dependsOn: [
        { containerName: 'init', condition: 'SUCCESS' as const },
        { containerName: 'db', condition: 'HEALTHY' as const },
      ],
    },
  ];
  const stand = 'app not started yet: db is RUNNING, health UNHEALTHY; init is';
  expect(waitsFor({ lastStatus: 'PENDING', containers: [db, init, app] }, definitions)).toBe(
    `${stand} RUNNING; app waits until init ends with exit code 0, for as long as that takes; app waits until db is HEALTHY, at most 90 s`,
  );
  const done = { ...init, lastStatus: 'STOPPED', exitCode: 0 };
  expect(waitsFor({ lastStatus: 'PENDING', containers: [db, done, app] }, definitions)).toBe(
    `${stand} STOPPED; app waits until db is HEALTHY, at most 90 s`,
  );
  expect(waitsFor({ lastStatus: 'PENDING', containers: [app] })).toBeUndefined();
  expect(waitsFor({ lastStatus: 'RUNNING', containers: [db] })).toBeUndefined();
});

test('what a task and its containers both say is said once', () => {
  const said = 'CannotPullContainerError: manifest for web:1 not found';
  const both = ['web', 'side'].map((name) => ({ name, lastStatus: 'STOPPED', reason: said }));
  expect(reasonOf({ stoppedReason: said, containers: both })).toBe(said);
  expect(
    reasonOf({
      stoppedReason: 'Essential container in task exited',
      containers: [
        {
          name: 'web',
          lastStatus: 'STOPPED',
          exitCode: 137,
          reason: 'OutOfMemoryError: Container killed due to memory usage',
        },
        { name: 'side', lastStatus: 'STOPPED', exitCode: 0 },
      ],
    }),
  ).toBe(
    'Essential container in task exited; web: OutOfMemoryError: Container killed due to memory usage; side: exit 0',
  );
});

test('the newest task of a service is the first, wherever it is in the list', async () => {
  const send = async ({ input }: { input: { nextToken?: string; tasks?: readonly string[] } }) => {
    if (input.tasks !== undefined)
      return { tasks: input.tasks.map((taskArn) => ({ taskArn, createdAt: new Date(Number(taskArn)) })) };
    const from = Number(input.nextToken ?? '0');
    return {
      taskArns: Array.from({ length: 100 }, (_, i) => String(from + i)),
      ...(from < 200 ? { nextToken: String(from + 100) } : {}),
    };
  };
  const client = Object.assign(new ECSClient({ region: 'us-east-1' }), { send });
  const found = await tasksOf(client, 'default', 'web', 'STOPPED');
  expect([found.length, found[0]?.taskArn, found[299]?.taskArn]).toEqual([300, '299', '0']);
});

test('by what tasks are isolated is said with how many, and nothing where none is', () => {
  const by = (value: string) => ({ attributes: [{ name: 'slipway.isolation', value }] });
  expect(isolated([by('runsc'), {}, by('runsc'), by('vm')])).toEqual([
    '2 of 4 running tasks are isolated by runsc',
    '1 of 4 running tasks are isolated by vm',
  ]);
  expect(isolated([{}])).toEqual([]);
});
