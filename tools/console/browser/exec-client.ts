import { ExecClient } from '@slipway/scheduler/exec/protocol';
import { systemClock } from '@slipway/storage/clock';
// The usual Buffer for browsers, which bundlers have long put there.
import { Buffer as BrowsersBuffer } from 'buffer/';

// The protocol takes node's; whatever runs in the page sees it as node's own.
if (typeof Buffer === 'undefined') Object.assign(globalThis, { Buffer: BrowsersBuffer });

/** As `app/terminal/exec-client.d.ts` tells the page: that has no types of node, and this none of browsers. */
interface Ports {
  readonly send: (frame: Uint8Array | string) => void;
  readonly output: (bytes: Uint8Array) => void;
  readonly hasRoom: () => boolean;
  readonly ready: () => void;
  readonly exited: (code: number) => void;
  readonly closed: (said: string) => void;
}

/**
 * The data channel of ECS Exec for browsers: the very client that `slipway exec` has. `build.ts` gives it what it takes of node: Buffer, and
 * SHA-256, which pages without TLS do not have of their browser.
 */
export function openExec(ports: Ports) {
  const client = new ExecClient({
    clock: systemClock,
    random: (size) => crypto.getRandomValues(new Uint8Array(size)),
    socket: { send: ports.send },
    output: ports.output,
    hasRoom: ports.hasRoom,
    ready: ports.ready,
    exited: ports.exited,
    closed: ports.closed,
  });
  return {
    run: (token: string, signal: AbortSignal) => client.run(token, signal),
    reopen: (token: string) => client.reopen(token),
    receive: (frame: ArrayBuffer) => client.receive(Buffer.from(frame)),
    resume: () => client.resume(),
    write: (bytes: Uint8Array) => client.write(Buffer.from(bytes)),
    resize: (columns: number, rows: number) => client.resize(columns, rows),
    terminate: () => client.terminate(),
  };
}
