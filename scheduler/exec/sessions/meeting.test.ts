import { systemClock } from '@slipway/storage/clock';
import { expect, test } from 'vitest';
import type { WebSocket } from 'ws';

import { Meetings } from './index.ts';

test('who waits for a host in the place of a connection that broke still waits when that one is given up', async () => {
  const meetings = new Meetings(systemClock);
  const over = new AbortController();
  const before = meetings.wait('session', 'instance', 60_000, over.signal);
  const last = meetings.wait('session', 'instance', 60_000, new AbortController().signal);
  over.abort();
  expect(await before).toBeUndefined();
  expect(meetings.awaits('session', 'instance')).toBe(true);
  const host = {} as WebSocket;
  expect(meetings.join('session', 'instance', host)).toBe(true);
  expect(await last).toBe(host);
  expect(meetings.awaits('session', 'instance')).toBe(false);
});
