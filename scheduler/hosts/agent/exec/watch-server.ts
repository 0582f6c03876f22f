import type { Clock } from '@slipway/storage/clock';
import type { WebSocket } from 'ws';

/** A server that says nothing for so long is gone; it pings every few seconds. Milliseconds. */
const silence = 40_000;

/** Gives a connection up on which its server says nothing any more, until the signal aborts. */
export async function watchServer(ws: WebSocket, clock: Clock, signal: AbortSignal): Promise<void> {
  let heard = clock.monotonic();
  const hear = (): void => void (heard = clock.monotonic());
  ws.on('error', () => ws.terminate());
  ws.on('ping', hear).on('message', hear);
  while (!signal.aborted) {
    if (clock.monotonic() - heard > silence) ws.terminate();
    await clock.sleep(silence / 4, signal).catch(() => undefined);
  }
}
