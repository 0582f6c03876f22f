import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Proxy } from './proxies.ts';

/** A kind of request: what is sent over each connection, and how many bytes come back each time. */
export interface Kind {
  readonly what: string;
  /** Requests of a round, over all connections together. */
  readonly count: number;
  readonly isSecure?: boolean;
  /** Whether each request has a connection of its own. */
  readonly isFresh?: boolean;
  readonly request: string;
  readonly bodyBytes: number;
  /** Goes first over each connection, which then speaks another protocol. */
  readonly upgrade?: string;
}

/** Where requests of a kind go: a connection that is kept, or one for each of them. */
export interface Lane {
  /** Asks so many times, one after the other. Rejects when the connection ends, or answers something else than was asked for. */
  ask(count: number): Promise<void>;
  close(): void;
}

/** A lane that connects with its first request. */
export function laneTo(proxy: Proxy, kind: Kind): Lane {
  let kept: Connection | undefined;
  return {
    async ask(count) {
      for (let left = count; left > 0; left--) {
        kept ??= await connection(proxy, kind);
        await kept.ask();
        if (kind.isFresh !== true) continue;
        kept.close();
        kept = undefined;
      }
    },
    close: () => kept?.close(),
  };
}

interface Connection {
  ask(): Promise<void>;
  close(): void;
}

async function connection(proxy: Proxy, kind: Kind): Promise<Connection> {
  const socket: Socket =
    kind.isSecure === true
      ? connectTls({ host: proxy.address, port: proxy.secure, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] })
      : connect({ host: proxy.address, port: proxy.plain, noDelay: true });
  let waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined;
  let failure: Error | undefined;
  const fail = (error: Error): void => {
    failure ??= error;
    waiting?.reject(error);
  };
  socket.on('error', fail);
  socket.on('close', () => fail(new Error(`${proxy.name} closed a connection`)));
  let isUpgraded = kind.upgrade === undefined;
  /** Bytes of an answer that are still to come; undefined before the end of its head. */
  let need: number | undefined;
  let head = '';
  socket.on('data', (chunk: Buffer) => {
    let bytes = chunk.length;
    if (need === undefined) {
      head += chunk.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end === -1) return;
      if (!/^HTTP\/1\.1 (?:200|101) /.test(head)) return fail(new Error(`${proxy.name} answers ${head.slice(0, 60)}`));
      bytes = head.length - end - 4;
      head = '';
      need = isUpgraded ? kind.bodyBytes : 0;
    }
    need -= bytes;
    if (need <= 0) waiting?.resolve();
  });
  const exchange = async (text: string): Promise<void> => {
    if (failure !== undefined) throw failure;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    waiting = { resolve, reject };
    // A message of another protocol has no head.
    need = kind.upgrade !== undefined && isUpgraded ? kind.bodyBytes : undefined;
    socket.write(text, 'latin1');
    await promise;
  };
  const opened = Promise.withResolvers<void>();
  waiting = opened;
  socket.once(kind.isSecure === true ? 'secureConnect' : 'connect', () => opened.resolve());
  await opened.promise;
  if (kind.upgrade !== undefined) {
    await exchange(kind.upgrade);
    isUpgraded = true;
  }
  return { ask: () => exchange(kind.request), close: () => socket.destroy() };
}
