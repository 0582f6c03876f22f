import { randomBytes } from 'node:crypto';

import { systemClock } from '@slipway/storage/clock';
import { WebSocket } from 'ws';

import { ExecClient, ownClient } from '../protocol/index.ts';

/** A client of a session, as the tests see it. */
export interface TestClient {
  readonly client: ExecClient;
  readonly ws: WebSocket;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly bytes: () => number;
  /** Resolves when the handshake is over. */
  readonly ready: Promise<void>;
  /** What the session ended with: the exit code, where it was told, and what the server said. */
  readonly closed: Promise<{ readonly code: number | undefined; readonly output: string }>;
}

/** Opens the data channel of a session. @param version as which client; default: ours */
export function openClient(streamUrl: string, tokenValue: string, version = ownClient): TestClient {
  const ws = new WebSocket(streamUrl, { perMessageDeflate: false });
  const out: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
  const ready = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<{ code: number | undefined; output: string }>();
  const over = new AbortController();
  let code: number | undefined;
  const client = new ExecClient({
    clock: systemClock,
    random: randomBytes,
    version,
    socket: {
      send: (frame) => {
        if (ws.readyState === ws.OPEN) ws.send(frame);
      },
    },
    output: (bytes, stream) => out[stream].push(bytes),
    ready: ready.resolve,
    exited: (exit) => {
      code = exit;
    },
    closed: (output) => closed.resolve({ code, output }),
  });
  ws.on('open', () => {
    client.run(tokenValue, over.signal).catch(closed.reject);
  });
  ws.on('message', (data, isBinary) => {
    if (isBinary) client.receive(data as Buffer);
  });
  ws.on('error', () => ws.terminate());
  ws.on('close', (status, reason) => {
    over.abort();
    closed.resolve({ code, output: `closed with ${status}: ${reason.toString()}` });
  });
  return {
    client,
    ws,
    stdout: () => Buffer.concat(out.stdout).toString(),
    stderr: () => Buffer.concat(out.stderr).toString(),
    bytes: () => out.stdout.reduce((sum, { length }) => sum + length, 0),
    ready: ready.promise,
    closed: closed.promise,
  };
}
