import type { Process } from './machine.ts';
import { NoAnswer, type SimulatedNetwork, type SimulatedSocket } from './network.ts';
import { listening, type SimulatedServer } from './server.ts';

/** Milliseconds after which a connection is given up that is not upgraded, as `signedDial` does. */
const handshakeTimeout = 10_000;

export interface Dialing {
  readonly network: SimulatedNetwork;
  readonly from: Process;
  readonly server: SimulatedServer;
  readonly signal: AbortSignal;
  /** Serves the other end until it is over; calls `opened` when it has let the connection through. */
  readonly serve: (theirs: SimulatedSocket, opened: () => void) => Promise<void>;
  /** What a refusal is to whoever dials. */
  readonly refused: (error: unknown) => Error;
}

/** A connection to a server, once it is let through. @throws NoAnswer, or what `refused` makes of a refusal */
export async function dialed({ network, from, server, signal, serve, refused }: Dialing): Promise<SimulatedSocket> {
  const ends = await network.call(from, listening(server), (there) => Promise.resolve(network.sockets(from, there)));
  const [mine, theirs] = ends;
  const open = Promise.withResolvers<void>();
  serve(theirs, open.resolve).then(
    () => theirs.terminate(),
    (error: unknown) => {
      theirs.terminate();
      open.reject(refused(error));
    },
  );
  signal.addEventListener('abort', () => mine.terminate(), { once: true });
  const closed = (): void => open.reject(new NoAnswer('the connection was closed'));
  // Its server may have died before anybody listened.
  if (mine.readyState === 3) closed();
  else mine.once('close', closed);
  const patience = from.after(handshakeTimeout, () => {
    mine.terminate();
    closed();
  });
  await open.promise;
  patience();
  if (mine.readyState === 3) throw new NoAnswer('the connection was closed');
  return mine;
}
