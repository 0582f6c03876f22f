import { openLeases } from '@slipway/storage/leases';
import { systemClock } from '@slipway/storage/clock';
import { randomBytes } from 'node:crypto';

import type { TrafficOptions } from '../traffic/index.ts';

import { FakeShifts } from './fake-shifts.ts';
import { FakeTasks } from './fake-tasks.ts';
import { account, type TestBalancing } from './open-balancing.ts';

/** What carries the traffic of a test's load balancers needs: every target is healthy, and nothing is waited for that a test must wait for. */
export const trafficOptions = (
  { records, balancers, networks }: Pick<TestBalancing, 'records' | 'balancers' | 'networks'>,
  more: Partial<TrafficOptions> = {},
): TrafficOptions => ({
  account,
  records,
  balancers,
  networks,
  leases: openLeases(records, systemClock, Math.random),
  clock: systemClock,
  random: randomBytes,
  log: { info: () => {}, warn: () => {}, error: () => {} },
  tasks: new FakeTasks(),
  shifts: new FakeShifts(new FakeTasks()),
  probe: () => Promise.resolve({ kind: 'passed' }),
  certificate: () => Promise.resolve(undefined),
  timing: { report: 50, gone: 60_000, patience: 60_000, numbers: 50, drain: 5 },
  ...more,
});
