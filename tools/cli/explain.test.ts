import { expect, test } from 'vitest';
import { followStopped, waitsFor } from './explain.ts';

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
  expect(waitsFor({ lastStatus: 'PENDING', containers: [app] })).toBeUndefined();
  expect(waitsFor({ lastStatus: 'RUNNING', containers: [db] })).toBeUndefined();
});
