import { randomBytes } from 'node:crypto';
import { systemClock } from '@slipway/storage/clock';
import { memoryRecords } from '@slipway/storage/records/memory';

import { type Answer, callerOf, region } from '../../../balancing/testing/caller.ts';
import { cloudWatchSchemas, createCloudWatch } from '../api/index.ts';
import { MemoryMetrics } from '../store/testing/index.ts';

/** The API of CloudWatch over a store in memory, whose clock stands where a test puts it. */
export function openCloudWatch() {
  const clock = { ...systemClock, at: Date.parse('2026-06-15T12:00:00Z'), now: () => clock.at };
  const metrics = new MemoryMetrics(clock.now);
  const ports = { records: memoryRecords(systemClock), random: randomBytes, clock, metrics, region };
  const service = createCloudWatch({ ...ports, beside: [] });
  const { call, access, refusal } = callerOf(service, cloudWatchSchemas, {
    write: (_name, _shapes, input) => Buffer.from(JSON.stringify(input)),
    read: (answer: Answer, body) => (Buffer.isBuffer(body) ? (JSON.parse(body.toString('utf8')) as Answer) : answer),
    now: clock.now,
  });
  return { clock, metrics, call, access, refusal };
}
