import { randomBytes } from 'node:crypto';

import { systemClock } from '@slipway/storage/clock';
import { WebSocket } from 'ws';

import { ExecClient, ownClient } from '../protocol/index.ts';

/** A client of a session, as the tests see it. */
export interface TestClient {
  readonly client: ExecClient;
  /** Its connection now. */
  readonly ws: WebSocket;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly bytes: () => number;
  /** Resolves when the handshake is over. */
  readonly ready: Promise<void>;
  /** What the session ended with: the exit code, where it was told, and what the server said. */
  readonly closed: Promise<{ readonly code: number | undefined; readonly output: string }>;
  /** Breaks its connection: nobody says goodbye. */
  cut(): void;
  /** Goes on over another connection, with the token of ResumeSession. */
  come(streamUrl: string, tokenValue: string): void;
}

/** Opens the data channel of a session. @param version as which client; default: ours */
export function openClient(streamUrl: string, tokenValue: string, version = ownClient): TestClient {
  const out: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
  const ready = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<{ code: number | undefined; output: string }>();
  const over = new AbortController();
  let code: number | undefined;
  let ws: WebSocket;
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
  const connect = (url: string, opened: () => void): WebSocket => {
    const own = new WebSocket(url, { perMessageDeflate: false });
    own.on('open', opened);
    own.on('message', (data, isBinary) => {
      if (isBinary && own === ws) client.receive(data as Buffer);
    });
    own.on('error', () => own.terminate());
    own.on('close', (status, reason) => {
      if (own !== ws || own === cut) return;
      over.abort();
      closed.resolve({ code, output: `closed with ${status}: ${reason.toString()}` });
    });
    return own;
  };
  let cut: WebSocket | undefined;
  ws = connect(streamUrl, () => {
    client.run(tokenValue, over.signal).catch(closed.reject);
  });
  return {
    client,
    get ws() {
      return ws;
    },
    stdout: () => Buffer.concat(out.stdout).toString(),
    stderr: () => Buffer.concat(out.stderr).toString(),
    bytes: () => out.stdout.reduce((sum, { length }) => sum + length, 0),
    ready: ready.promise,
    closed: closed.promise,
    cut: () => {
      cut = ws;
      ws.terminate();
    },
    come: (url, token) => {
      ws = connect(url, () => client.reopen(token));
    },
  };
}
