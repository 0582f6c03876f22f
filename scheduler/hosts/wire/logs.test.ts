import { zstdCompressSync } from 'node:zlib';

import { describe, expect, test } from 'vitest';

import { decodeLogBatch, encodeLogBatch, type LogBatch, LogFrameRefused, logAnswer, logLimits } from './logs.ts';

const entry = {
  taskArn: 'arn:aws:ecs:us-east-1:000000000000:task/default/abc',
  containerName: 'web',
  first: 1,
  events: [{ timestamp: 1_700_000_000_000, message: 'hello \u0000 \u{1F600}' }],
  resume: '{"n":1}',
};
const batch = (...entries: LogBatch['entries']): LogBatch => ({ id: 7, entries });
const raw = (content: unknown): Buffer => zstdCompressSync(JSON.stringify(content));
const refusal = async (frame: Uint8Array): Promise<string> => {
  const error = await decodeLogBatch(frame).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LogFrameRefused);
  return (error as Error).message;
};

describe('batches of log entries', () => {
  test('come out of a frame as they went in', async () => {
    const sent = batch(entry, { ...entry, containerName: 'side', events: [], dropped: 3, gap: true });
    expect(await decodeLogBatch(await encodeLogBatch(sent))).toEqual(sent);
  });

  test('hold the largest entry there is, of whatever bytes', async () => {
    const size = logLimits.messageBytes;
    const message = '\u0000'.repeat(size);
    const most = Math.floor(logLimits.entryBytes / (size + logLimits.eventOverhead));
    const events = Array.from({ length: most }, () => ({ timestamp: 1, message }));
    const sent = batch({ ...entry, events });
    expect(await decodeLogBatch(await encodeLogBatch(sent))).toEqual(sent);
  });

  test('are refused when they are none', async () => {
    expect(await refusal(Buffer.from('{}'))).toMatch(/not the zstd of JSON/);
    expect(await refusal(zstdCompressSync('{'))).toMatch(/not the zstd of JSON/);
    expect(await refusal(raw({ id: 1 }))).toMatch(/no batch/);
    expect(await refusal(raw(batch({ ...entry, first: 0 })))).toMatch(/no batch/);
    expect(await refusal(raw(batch({ ...entry, resume: 'x'.repeat(logLimits.resume + 1) })))).toMatch(/no batch/);
    expect(await refusal(raw(batch({ ...entry, events: [{ timestamp: -1, message: '' }] })))).toMatch(/no batch/);
    for (const none of [null, 5, { id: 1, entries: [null, 5, {}] }])
      expect(await refusal(raw(none))).toMatch(/no batch/);
  });

  test('are refused beyond their limits, before they are inflated', async () => {
    expect(await refusal(Buffer.alloc(logLimits.frameBytes + 1))).toMatch(/too long/);
    // 64 MiB of blanks take a few kB on the wire.
    expect(await refusal(zstdCompressSync(Buffer.alloc(64 * 1024 * 1024, ' ')))).toMatch(/allowed length/);
    const many = (length: number, message: string) => Array.from({ length }, () => ({ timestamp: 1, message }));
    expect(await refusal(raw(batch({ ...entry, events: many(10_001, '') })))).toMatch(/too many events/);
    expect(await refusal(raw(batch({ ...entry, events: many(5, 'x'.repeat(250_000)) })))).toMatch(/too many bytes/);
    const half = { ...entry, events: many(5_001, '') };
    expect(await refusal(raw(batch(half, { ...half, containerName: 'b' })))).toMatch(/too many events/);
    // Each of them is within its entry's limit, and wrong: nobody is told of each.
    const wrong = Array.from({ length: logLimits.entries }, () => ({ events: Array(10_000).fill(0) as number[] }));
    expect(await refusal(raw({ id: 1, entries: [null, ...wrong.slice(1)] }))).toMatch(/too many events/);
    const names = Array.from({ length: logLimits.entries + 1 }, (_, n) => ({ ...entry, containerName: `c${n}` }));
    expect(await refusal(raw(batch(...names)))).toMatch(/no batch/);
  });

  test('answers name what is durable and why the rest is not', () => {
    const { taskArn, containerName } = entry;
    const answer = { id: 7, entries: [{ taskArn, containerName, last: 12 }] };
    expect(logAnswer.safeParse({ type: 'LogAnswer', message: answer }).success).toBe(true);
    const refused = { code: 'ThrottlingException', message: 'Rate exceeded', retryAfter: 200 };
    const no = { id: 8, entries: [{ taskArn, containerName, refused }] };
    expect(logAnswer.safeParse({ type: 'LogAnswer', message: no }).success).toBe(true);
    expect(logAnswer.safeParse({ type: 'LogAnswer', message: { id: -1, entries: [] } }).success).toBe(false);
  });
});
