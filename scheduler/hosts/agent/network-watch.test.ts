import { systemClock } from '@slipway/storage/clock';
import { expect, test } from 'vitest';

import { silent } from '../testing/callers.ts';
import { noNetwork } from './network/index.ts';
import { NetworkWatch } from './network-watch.ts';

test('a host says anew what it gives tasks when that changes, and when its end of the tunnels is not as it said', async () => {
  const host = { reason: undefined as string | undefined, isTold: true };
  let looks = 0;
  const port = {
    ...noNetwork('a', 'none'),
    reason: async () => {
      looks += 1;
      return host.reason;
    },
    get isTold() {
      return host.isTold;
    },
  };
  let ticks = Promise.withResolvers<void>();
  const clock = { ...systemClock, sleep: () => ticks.promise };
  const watch = new NetworkWatch(port, { clock, log: silent });
  let said = 0;
  const looked = Promise.withResolvers<void>();
  watch.changed = () => {
    said += 1;
    if (said === 3) looked.resolve();
  };
  await watch.start();
  expect([watch.reason, said]).toEqual([undefined, 1]);
  const next = (): void => {
    const before = ticks;
    ticks = Promise.withResolvers();
    before.resolve();
  };
  host.isTold = false;
  next();
  await expect.poll(() => said).toBe(2);
  host.reason = 'nft is gone';
  next();
  await looked.promise;
  expect(watch.reason).toBe('nft is gone');
  // While it gives them none, its end is not said at all.
  const before = looks;
  await expect
    .poll(() => {
      next();
      return looks;
    })
    .toBeGreaterThan(before);
  const stopping = watch.stop(false);
  next();
  await stopping;
  expect(said).toBe(3);
});
