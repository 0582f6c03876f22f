import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

import type { Clock } from '@slipway/storage/clock';
import type { WebSocket, WebSocketServer } from 'ws';

/** Refuses an upgrade with a body that names the exception, as agents expect it on this connection, and ends it, whatever the other end does. */
export function refuseUpgrade(socket: Duplex, status: 400 | 403 | 503, exception: string, message: string): void {
  const body = JSON.stringify({ [exception]: message });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

/**
 * Makes a WebSocket of a connection that was let through, paused: what came right behind the head waits until its session listens, and what
 * is wrong with it may be found before that.
 * @throws Error when the connection is over before that, also when it was before this was asked
 */
export function openWebSocket(
  server: WebSocketServer,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  onError: (error: Error) => void,
): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const over = (): void => reject(new Error('the connection closed during the upgrade'));
    if (socket.destroyed) return over();
    socket.once('close', over);
    server.handleUpgrade(request, socket, head, (ws) => {
      ws.on('error', onError);
      ws.pause();
      resolve(ws);
    });
  });
}

/** A peer that answers nothing for this long is gone. Milliseconds. */
const silenceLimit = 25_000;

/**
 * Pings a peer and cuts the connection when it stays silent, so that a host that vanished without closing its
 * connection shows as disconnected within half a minute. Ends when the signal aborts.
 */
export async function watchLiveness(ws: WebSocket, clock: Clock, signal: AbortSignal): Promise<void> {
  let heard = clock.monotonic();
  const hear = (): void => {
    heard = clock.monotonic();
  };
  ws.on('pong', hear);
  ws.on('message', hear);
  while (!signal.aborted) {
    if (clock.monotonic() - heard > silenceLimit) {
      ws.terminate();
      return;
    }
    if (ws.readyState === ws.OPEN) ws.ping();
    await clock.sleep(silenceLimit / 3, signal).catch(() => undefined);
  }
}
