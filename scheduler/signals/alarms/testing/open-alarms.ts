import { randomBytes } from 'node:crypto';
import type { Log } from '@slipway/auth/contract';
import { createOutbound, type Outbound } from '@slipway/auth/outbound';
import { openLeases } from '@slipway/storage/leases';
import { memoryRecords } from '@slipway/storage/records/memory';

import { type Answer, callerOf, region } from '../../../balancing/testing/caller.ts';
import { SteppedClock } from '../../../control/testing/stepped-clock.ts';
import { cloudWatchSchemas, createCloudWatch } from '../../metrics/index.ts';
import { MemoryMetrics } from '../../metrics/store/testing/index.ts';
import { alarmSchemas, createAlarms } from '../api/index.ts';
import { AlarmKeeper, StoredPoints } from '../keeper/index.ts';
import { Alarms } from '../store/index.ts';

export const account = '000000000000';
export const arnOf = (name: string): string => `arn:aws:cloudwatch:${region}:${account}:alarm:${name}`;

/** A call of a webhook as the outbound client was asked to make it. */
export interface Told {
  readonly url: string;
  readonly id: string;
  readonly signature: string;
  readonly body: string;
}

const silent = new Proxy({}, { get: () => () => undefined }) as Log;
const sealer = { seal: (text: string) => `sealed ${text}`, open: (text: string) => text.slice('sealed '.length) };

/** Alarms over stores in memory, with as many keepers as a test starts, on a clock that it moves. */
export function openAlarms() {
  const clock = new SteppedClock();
  const metrics = new MemoryMetrics(() => clock.now());
  const records = memoryRecords(clock);
  const ports = { records, random: randomBytes, clock, region };
  const alarms = new Alarms(ports);
  const operations = createAlarms({
    ...ports,
    alarms,
    checkUrl: (url) => createOutbound().check(url),
    acts: (action) =>
      action.startsWith('arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:1') ? true : undefined,
  });
  const service = createCloudWatch({ ...ports, metrics, beside: [operations] });
  const { call, access, refusal } = callerOf(
    service,
    { ...cloudWatchSchemas, ...alarmSchemas },
    {
      write: (_name, _shapes, input) => Buffer.from(JSON.stringify(input)),
      read: (answer: Answer, body) => (Buffer.isBuffer(body) ? (JSON.parse(body.toString('utf8')) as Answer) : answer),
      now: () => clock.now(),
    },
  );
  const told: Told[] = [];
  const webhooks = {
    /** How the next calls are answered. */
    answer: (): Response | Promise<Response> => new Response('', { status: 200 }),
  };
  const outbound: Pick<Outbound, 'fetch'> = {
    fetch: async (url, request) => {
      const headers = request?.headers ?? {};
      told.push({
        url,
        id: headers['slipway-delivery'] ?? '',
        signature: headers['slipway-signature'] ?? '',
        body: Buffer.from(request?.body ?? '').toString(),
      });
      return webhooks.answer();
    },
  };
  /** Lets everything that is at work go on until it waits for time. */
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 60; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  const pass = async (seconds: number): Promise<void> => {
    const until = clock.monotonic() + seconds * 1000;
    await settle();
    while (clock.monotonic() < until) {
      clock.step(until);
      await settle();
    }
  };
  return {
    alarms,
    clock,
    metrics,
    records,
    call,
    access,
    refusal,
    told,
    webhooks,
    sealer,
    pass,
    /** Starts a server that evaluates; the answer ends it, all at once. */
    async keep(): Promise<() => Promise<void>> {
      const leases = openLeases(records, clock, Math.random);
      const points = new StoredPoints(metrics);
      const keeper = new AlarmKeeper({ ...ports, leases, points, outbound, sealer, log: silent });
      const over = new AbortController();
      const running = keeper.keep(over.signal);
      await settle();
      return async () => {
        over.abort();
        await running;
      };
    },
    /** One value of the metric `App load` of the period that began so many seconds ago. */
    report: (value: number, secondsAgo = 0): Promise<void> =>
      metrics.put(account, [
        {
          namespace: 'App',
          name: 'load',
          dimensions: [],
          resolution: 1,
          timestamp: clock.now() - secondsAgo * 1000,
          measured: value,
        },
      ]),
    stateOf: async (name: string): Promise<string | undefined> => (await alarms.find(account, name))?.state,
  };
}

/** An alarm that looks at one minute of `App load`. */
export const simple = {
  AlarmName: 'load',
  MetricName: 'load',
  Namespace: 'App',
  Statistic: 'Average',
  Period: 60,
  EvaluationPeriods: 1,
  Threshold: 3,
  ComparisonOperator: 'GreaterThanThreshold',
} as const;
