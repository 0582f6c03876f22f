import type { Clock } from '@slipway/storage/clock';
import type { WebSocket } from 'ws';

import { carryFrames } from '../../wire/index.ts';
import { watchServer } from './watch-server.ts';

/**
 * Carries what the client of a session sends to a server that it came to again to the one that has the session, and back. The frames are those
 * of the data channel, which sends again what does not arrive: what a connection has no room for is left out. Resolves when both have ended.
 */
export async function carry(
  client: WebSocket,
  session: WebSocket,
  { clock }: { readonly clock: Clock },
  stopped: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const ended = [client, session].map(
    (ws) =>
      new Promise<void>((resolve) => {
        ws.once('close', () => resolve());
      }),
  );
  const stop = (): void => {
    for (const ws of [client, session]) ws.terminate();
  };
  stopped.addEventListener('abort', stop, { once: true });
  carryFrames(client, session);
  carryFrames(session, client);
  if (stopped.aborted) stop();
  const watched = [client, session].map((ws) => watchServer(ws, clock, over.signal));
  await Promise.all(ended);
  stopped.removeEventListener('abort', stop);
  over.abort();
  await Promise.all(watched);
}
