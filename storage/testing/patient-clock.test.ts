import { expect, test } from 'vitest';
import { patientClock } from './patient-clock.ts';

/** As a machine that is busy with others does it to all of a process. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test('time passes while somebody sleeps, and hardly while the process stands still', async () => {
  const clock = patientClock();
  const begun = clock.monotonic();
  await clock.sleep(50);
  const slept = clock.monotonic();
  expect(slept - begun).toBeGreaterThanOrEqual(50);
  standStill(300);
  expect(clock.monotonic() - slept).toBeLessThan(100);
});

test('who sleeps is not woken by a pause of the process that is as long as the sleep', async () => {
  const clock = patientClock();
  const woken: string[] = [];
  const sleeping = [clock.sleep(150).then(() => woken.push('long')), clock.sleep(100).then(() => woken.push('short'))];
  standStill(300);
  await clock.sleep(30);
  expect(woken).toEqual([]);
  await Promise.all(sleeping);
  expect(woken).toEqual(['short', 'long']);
});

test('a sleep ends with its signal, with the reason that it gives', async () => {
  const clock = patientClock();
  const reason = new Error('enough');
  await expect(clock.sleep(1, AbortSignal.abort(reason))).rejects.toBe(reason);
  const over = new AbortController();
  const sleeping = clock.sleep(60_000, over.signal);
  over.abort(reason);
  await expect(sleeping).rejects.toBe(reason);
});
