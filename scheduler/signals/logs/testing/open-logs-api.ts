import { randomBytes } from 'node:crypto';
import { systemClock } from '@slipway/storage/clock';
import { memoryRecords } from '@slipway/storage/records/memory';

import { type Answer, callerOf, region } from '../../../balancing/testing/caller.ts';
import { createLogs, logsSchemas } from '../api/index.ts';
import { createOutbound } from '@slipway/auth/outbound';
import { LogQueries } from '../queries/index.ts';
import { MemoryBlobs, MemoryLogs, sealer } from '../store/testing/index.ts';

/** Counts who follows it. */
class WatchedLogs extends MemoryLogs {
  followers = 0;

  override async *tail(...given: Parameters<MemoryLogs['tail']>): ReturnType<MemoryLogs['tail']> {
    this.followers++;
    try {
      yield* super.tail(...given);
    } finally {
      this.followers--;
    }
  }
}

/** The API of CloudWatch Logs over a store in memory, whose clock stands where a test puts it. */
export function openLogsApi() {
  let asleep: (() => void)[] = [];
  const clock = {
    ...systemClock,
    at: Date.parse('2026-06-15T12:00:00Z'),
    now: () => clock.at,
    sleep: (_milliseconds: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        asleep.push(resolve);
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      }),
  };
  const logs = new WatchedLogs(clock.now);
  const calls: { readonly url: string; readonly body: string }[] = [];
  const webhooks = { answer: (): Response => new Response('') };
  const outbound = {
    check: (url: string) => createOutbound().check(url),
    fetch: (url: string, request?: { readonly body?: string | Uint8Array }): Promise<Response> => {
      calls.push({ url, body: Buffer.from(request?.body ?? '').toString() });
      return Promise.resolve(webhooks.answer());
    },
  };
  const records = memoryRecords(systemClock);
  const blobs = new MemoryBlobs();
  const log = { info: () => undefined, warn: () => undefined };
  const queries = new LogQueries({ records, blobs, log, random: randomBytes, clock, logs });
  const service = createLogs({ records, random: randomBytes, clock, logs, queries, region, sealer, outbound });
  const { call, access, refusal } = callerOf(service, logsSchemas, {
    write: (_name, _shapes, input) => Buffer.from(JSON.stringify(input)),
    read: (answer: Answer, body) => (Buffer.isBuffer(body) ? (JSON.parse(body.toString('utf8')) as Answer) : answer),
    now: clock.now,
  });
  return {
    clock,
    logs,
    /** What webhooks were told, and how they answer. */
    calls,
    webhooks,
    records,
    blobs,
    queries,
    seconds: {
      /** Wakes whoever sleeps, as soon as somebody does. */
      pass: async (): Promise<void> => {
        while (asleep.length === 0) await new Promise((resolve) => setImmediate(resolve));
        const woken = asleep;
        asleep = [];
        for (const wake of woken) wake();
      },
    },
    call,
    refusal,
    /** What a call needs to be allowed, in short. */
    access: async (name: string, input?: object) =>
      (await access(name, input)).map(({ action, resources, context }) => ({
        action,
        on: resources.map(({ arn }) => arn),
        tags: resources.map(({ tags }) => tags),
        context,
      })),
    /** A group `web` with a stream `one`. */
    async withStream(): Promise<void> {
      await call('CreateLogGroup', { logGroupName: 'web' });
      await call('CreateLogStream', { logGroupName: 'web', logStreamName: 'one' });
    },
    put: (events: readonly (readonly [timestamp: number, message: string])[], logStreamName = 'one'): Promise<Answer> =>
      call('PutLogEvents', {
        logGroupName: 'web',
        logStreamName,
        logEvents: events.map(([timestamp, message]) => ({ timestamp, message })),
      }),
  };
}
