import type { WebSocket } from 'ws';

import { execLimits } from './exec.ts';

/** How a connection ends on which nobody said goodbye (RFC 6455, section 7.1.5). */
export const brokenOff = 1006;
/** How one ends on which somebody did, with a status or without. */
const goodbyes: readonly number[] = [1000, 1005];

/**
 * Sends the binary frames of one connection of ECS Exec on over another one, and ends that as it ends itself. The frames are those of the data
 * channel, which sends again what does not arrive: what there is no room for is left out. Whoever only carries them and stops, or is in trouble,
 * says no goodbye for either side: the client goes on elsewhere.
 */
export function carryFrames(from: WebSocket, to: WebSocket): void {
  from.on('message', (data, isBinary) => {
    if (isBinary && to.readyState === to.OPEN && to.bufferedAmount < execLimits.carriedBytes) to.send(data);
  });
  from.once('close', (status) => {
    if (goodbyes.includes(status)) to.close(1000);
    // One that is ending has last words on their way.
    else if (to.readyState === to.OPEN) to.terminate();
  });
  from.resume();
}
