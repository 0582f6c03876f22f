import { expect, test, vi } from 'vitest';

import { openLogsApi } from '../testing/open-logs-api.ts';

/** What an answer's frames hold, one after the other. */
type Frame = Readonly<Record<string, unknown>>;
const shown = (frame: IteratorResult<Frame>): string => JSON.stringify(frame.value);

async function* framesOf(answer: { readonly responseStream: AsyncIterable<Frame> }): AsyncGenerator<Frame> {
  yield* answer.responseStream;
}

test('a session begins, says each second what came that it wants, and leaves nothing when its reader goes', async () => {
  const api = openLogsApi();
  await api.withStream();
  await api.call('CreateLogStream', { logGroupName: 'web', logStreamName: 'two' });
  const arn = 'arn:aws:logs:us-east-1:000000000000:log-group:web';
  const { frames, seconds } = await listen(api, {
    logGroupIdentifiers: [arn],
    logStreamNamePrefixes: ['o'],
    logEventFilterPattern: 'ERROR',
  });
  expect((await frames.next()).value).toEqual({
    sessionStart: {
      requestId: 'session',
      sessionId: 'session',
      logGroupIdentifiers: [arn],
      logStreamNamePrefixes: ['o'],
      logEventFilterPattern: 'ERROR',
    },
  });
  const now = api.clock.at;
  await api.put([
    [now, 'ERROR a'],
    [now, 'fine'],
  ]);
  await api.put([[now, 'ERROR b']], 'two');
  await vi.waitFor(async () => {
    const update = frames.next();
    await seconds.pass();
    expect(shown(await update)).toBe(
      JSON.stringify({
        sessionUpdate: {
          sessionMetadata: { sampled: false },
          sessionResults: [
            { logStreamName: 'one', logGroupIdentifier: arn, message: 'ERROR a', timestamp: now, ingestionTime: now },
          ],
        },
      }),
    );
  }, 30_000);
  const quiet = frames.next();
  await seconds.pass();
  expect(shown(await quiet)).toContain('"sessionResults":[]');
  await frames.return(undefined);
  expect(api.logs.followers).toBe(0);
});

test('more than 500 events of a second are sampled, and three hours are the longest', async () => {
  const api = openLogsApi();
  await api.withStream();
  const { frames, seconds } = await listen(api, { logGroupIdentifiers: ['web'] });
  await frames.next();
  await api.put(Array.from({ length: 600 }, (_, index) => [api.clock.at, `m${index}`] as const));
  await vi.waitFor(async () => {
    const update = frames.next();
    await seconds.pass();
    const { sessionUpdate } = (await update).value as {
      sessionUpdate: { sessionMetadata: object; sessionResults: object[] };
    };
    expect([sessionUpdate.sessionMetadata, sessionUpdate.sessionResults.length]).toEqual([{ sampled: true }, 500]);
  }, 30_000);
  api.clock.at += 3 * 3_600_000;
  await expect(frames.next()).rejects.toMatchObject({ code: 'SessionTimeoutException' });
  expect(api.logs.followers).toBe(0);
});

test('sessions that cannot be are refused', async () => {
  const api = openLogsApi();
  await api.withStream();
  const refusal = (input: object) => api.refusal('StartLiveTail', { logGroupIdentifiers: ['web'], ...input });
  expect(await refusal({ logEventFilterPattern: '{' })).toContain('at character 2');
  expect(await refusal({ logStreamNames: ['a'], logStreamNamePrefixes: ['a'] })).toContain(
    'cannot be specified together',
  );
  expect(await refusal({ logGroupIdentifiers: ['web', 'other'], logStreamNames: ['a'] })).toContain(
    'when one log group is given',
  );
  expect(await refusal({ logGroupIdentifiers: ['none'] })).toContain('log group does not exist');
  expect(await refusal({ logGroupIdentifiers: Array.from({ length: 11 }, () => 'web') })).toContain(
    'InvalidParameterException',
  );
  // One more is answered before the others begin: it ends as soon as it would begin.
  const open = await Promise.all(Array.from({ length: 16 }, () => listen(api, { logGroupIdentifiers: ['web'] })));
  const late = open.pop();
  for (const { frames } of open) await frames.next();
  await expect(late?.frames.next()).rejects.toMatchObject({ code: 'LimitExceededException' });
  expect(api.logs.followers).toBe(15);
  expect(await refusal({})).toContain('LimitExceededException: There are 15 live tail sessions already.');
  for (const { frames } of open) await frames.return(undefined);
  const { frames } = await listen(api, { logGroupIdentifiers: ['web'] });
  await frames.return(undefined);
});

/** A session, and the seconds that it waits for: each passes when it is told to. */
async function listen(api: ReturnType<typeof openLogsApi>, input: object) {
  const answer = await api.call('StartLiveTail', input);
  return { frames: framesOf(answer), seconds: api.seconds };
}
