import { EventEmitter } from 'node:events';

import { expect, test } from 'vitest';
import type { WebSocket } from 'ws';

import { carryFrames } from './index.ts';

/** One end of a connection, and how it was ended. */
class End extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  ended: number | 'cut' | undefined;
  close = (status: number): void => void (this.ended ??= status);
  terminate = (): void => void (this.ended ??= 'cut');
  resume = (): void => undefined;
}

// 1001, 1011 and 1013 are what servers say that stop or are in trouble, 1006 is what nobody says.
test.each([
  [1000, 1000],
  [1005, 1000],
  [1001, 'cut'],
  [1006, 'cut'],
  [1011, 'cut'],
  [1013, 'cut'],
])('when one connection ends with %i, the one that its frames go to is ended with %s', (status, ended) => {
  const [from, to] = [new End(), new End()];
  carryFrames(from as unknown as WebSocket, to as unknown as WebSocket);
  from.emit('close', status);
  expect(to.ended).toBe(ended);
});

test('one that is told its end already keeps that', () => {
  const [from, to] = [new End(), new End()];
  carryFrames(from as unknown as WebSocket, to as unknown as WebSocket);
  to.readyState = 2;
  from.emit('close', 4001);
  expect(to.ended).toBeUndefined();
});
