import { systemClock } from '@slipway/storage/clock';
import { expect, test } from 'vitest';

import type { Sample } from '../../signals/metrics/index.ts';
import { noCounts } from '../engines/index.ts';
import { account, openWeb } from '../testing/open-balancing.ts';

import type { GroupNumbers } from './numbers.ts';
import { TrafficTeller } from './teller.ts';

const at = Date.parse('2026-06-15T12:00:00Z');

test('each minute tells what was counted in it, and nothing of what was before; a store that is away ends nothing', async () => {
  const { balancers } = await openWeb();
  const [group] = (await balancers.read(account)).all('targetgroup');
  await balancers.change(account, (draft) => {
    draft.put('target', {
      id: '00000000000000ab',
      groupId: group?.id ?? '',
      targetId: '10.0.0.1',
      address: '10.0.0.1',
      port: 80,
      registeredAt: at,
      health: { state: 'healthy' },
      tags: {},
    });
  });
  let now = at;
  let requests = 0;
  const over = new AbortController();
  const told: (readonly [number, unknown])[] = [];
  const teller = new TrafficTeller({
    account,
    balancers,
    numbers: {
      // What was counted before is known only after a while.
      loaded: Promise.resolve().then(() => void (requests = 1_000)),
      balancers: () => [],
      groups: () => [{ id: group?.id ?? '', counts: { ...noCounts, requests } } as GroupNumbers],
    },
    clock: {
      ...systemClock,
      now: () => now,
      sleep: (ms) => {
        now += ms;
        requests += 5;
        if (now > at + 180_000) over.abort();
        return Promise.resolve();
      },
    },
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    metrics: {
      put: (_account, samples: readonly Sample[]) => {
        const [of] = samples.filter(({ name }) => name === 'RequestCount');
        if (of?.timestamp === at + 60_000) return Promise.reject(new Error('away'));
        told.push([of?.timestamp ?? 0, of?.measured]);
        return Promise.resolve();
      },
    },
  });
  await teller.run(over.signal);
  expect(told).toEqual([
    [at, 5],
    [at + 120_000, 5],
  ]);
});
