/** A WebSocket, or a connection of a copy. */
interface Leavable {
  readonly OPEN: number;
  readonly CLOSED: number;
  readonly readyState: number;
  once(event: 'close', listener: () => void): unknown;
  close(status: number): void;
  resume(): void;
}

/**
 * Closes a connection and lets what was said last get to a client that takes it: with TLS it may be on its way still.
 * @param wait for the end, as long as the client has for it
 */
export async function leaveOpen(
  ws: Leavable,
  status: number,
  wait: (closed: Promise<void>) => Promise<void>,
): Promise<void> {
  if (ws.readyState === ws.CLOSED) return;
  const closed = new Promise<void>((resolve) => ws.once('close', () => resolve()));
  if (ws.readyState === ws.OPEN) ws.close(status);
  ws.resume();
  await wait(closed);
}
