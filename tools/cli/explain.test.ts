import { expect, test } from 'vitest';
import { followStopped } from './explain.ts';

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
