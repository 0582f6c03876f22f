import { expect, test } from 'vitest';
import { StoreWatch } from './store-watch.ts';

/** A watch whose seconds pass when the test says so. */
function watched() {
  const told: string[] = [];
  let ask: () => Promise<unknown> = () => Promise.resolve();
  let wake = (): void => undefined;
  const watch = new StoreWatch({
    ask: () => ask(),
    clock: { now: () => 0, monotonic: () => 0, sleep: () => new Promise((resolve) => (wake = resolve)) },
    log: { info: (_, text) => void told.push(text), warn: () => undefined, error: (_, text) => void told.push(text) },
    onAway: () => void told.push('away'),
  });
  void watch.run();
  return {
    watch,
    told,
    answerWith: (next: () => Promise<unknown>) => void (ask = next),
    seconds: async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        wake();
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

test.each([
  ['fails', () => Promise.reject(new Error('connection refused'))],
  ['hangs', () => new Promise(() => undefined)],
])('a store that %s for a few seconds makes the server not ready, once, until it answers', async (_how, silence) => {
  const { watch, told, answerWith, seconds } = watched();
  await seconds(10);
  expect([watch.answers, told]).toEqual([true, []]);
  const pending = Promise.withResolvers<void>();
  answerWith(() => Promise.race([silence(), pending.promise]));
  await seconds(3);
  expect(watch.answers).toBe(true);
  await seconds(20);
  expect([watch.answers, told]).toEqual([
    false,
    ['the record store does not answer: this server is not ready', 'away'],
  ]);
  answerWith(() => Promise.resolve());
  pending.resolve();
  await seconds(2);
  expect([watch.answers, told.at(-1)]).toEqual([true, 'the record store answers again: this server is ready']);
  watch.stop();
});

test('one answer in between is enough', async () => {
  const { watch, answerWith, seconds } = watched();
  for (let i = 0; i < 5; i++) {
    answerWith(() => Promise.reject(new Error('away')));
    await seconds(2);
    answerWith(() => Promise.resolve());
    await seconds(1);
    expect(watch.answers).toBe(true);
  }
});
