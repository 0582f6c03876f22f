import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** By connection: what ends when the requests before have been answered. */
const last = new WeakMap<Socket, ServerResponse>();

/**
 * Serves requests of one connection one after the other, also when they come at once: a target never sees the second before the first was
 * answered. While one waits nothing more is read, so that a connection holds no more requests than fit into one piece of what it sent.
 * Streams of HTTP/2 do not wait for each other.
 */
export function inTurn(request: IncomingMessage, response: ServerResponse, serve: () => void): void {
  if (request.httpVersionMajor === 2) return serve();
  const { socket } = request;
  const before = last.get(socket);
  last.set(socket, response);
  if (before === undefined || before.closed) return serve();
  socket.pause();
  before.once('close', () => {
    if (last.get(socket) === response) socket.resume();
    if (socket.destroyed) response.destroy();
    else serve();
  });
}
