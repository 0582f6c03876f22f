import type { Socket } from 'node:net';
import type { Server } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';

/** Waits for the heads of requests, however slowly their bytes come. */
export interface Patience {
  /** A head is awaited: from now, or since the last one that was. */
  wait(socket: Socket): void;
  /** It has come. */
  came(socket: Socket): void;
}

/**
 * Bounds how long a connection may take for the head of a request: from its begin, or from the answer before. Node has such a limit only for
 * servers that listen themselves.
 * @param milliseconds after which the connection is closed
 * @param isSecure whether the server speaks TLS: then `connection` is of the bytes beneath, whose handshake has a limit of its own
 */
export function headPatience(
  server: Pick<Server, 'on'>,
  { milliseconds, isSecure }: { readonly milliseconds: number; readonly isSecure: boolean },
): Patience {
  const timers = new WeakMap<Socket, NodeJS.Timeout>();
  const came = (socket: Socket): void => clearTimeout(timers.get(socket));
  const wait = (socket: Socket): void => {
    if (socket.destroyed) return;
    // Once, and not for each request of a connection that stays.
    if (!timers.has(socket)) socket.once('close', () => came(socket));
    came(socket);
    timers.set(
      socket,
      setTimeout(() => socket.destroy(), milliseconds),
    );
  };
  if (!isSecure) server.on('connection', (socket: Socket) => wait(socket));
  server.on('secureConnection', (socket: Socket & { readonly alpnProtocol?: string }) => {
    if (socket.alpnProtocol !== 'h2') wait(socket);
  });
  server.on('session', (session: ServerHttp2Session) => {
    const timer = setTimeout(() => session.destroy(), milliseconds);
    session.once('stream', () => clearTimeout(timer));
    session.once('close', () => clearTimeout(timer));
  });
  return { wait, came };
}
