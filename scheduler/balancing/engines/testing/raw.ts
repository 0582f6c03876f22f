import { randomInt } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** What came back over a connection, taken apart without any leniency. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

/** A connection that sends bytes as they are and never tries anything again. */
export interface RawClient extends Disposable {
  readonly socket: Socket;
  send(bytes: string | Buffer): void;
  /** The next answer. Rejects with the class of what went wrong: `refused`, `reset`, `closed` (before a byte), `cut` (after one), `malformed`. */
  answer(method?: string): Promise<RawAnswer>;
  /** The bytes that come next, at least so many. */
  bytes(count: number): Promise<Buffer>;
  /** When the other side has closed. */
  readonly closed: Promise<void>;
  /** Whether neither an end, nor an error, nor a byte that nobody asked for has come. */
  readonly isIdle: boolean;
}

export class RawError extends Error {
  override readonly name = 'RawError';
  readonly kind: 'refused' | 'reset' | 'closed' | 'cut' | 'malformed' | 'timeout';
  constructor(kind: RawError['kind'], message: string) {
    super(`${kind}: ${message}`);
    this.kind = kind;
  }
}

/** An address of loopback that no other test has. */
export function freshAddress(): string {
  return `127.${randomInt(1, 255)}.${randomInt(1, 255)}.${randomInt(1, 255)}`;
}

/** Connects. @param options `secure`: the name that is asked for over TLS, whose certificate is not looked at */
export async function openRaw(
  address: string,
  port: number,
  options: { readonly from?: string; readonly patience?: number; readonly secure?: string | undefined } = {},
): Promise<RawClient> {
  const to = {
    host: address,
    port,
    noDelay: true,
    ...(options.from === undefined ? {} : { localAddress: options.from }),
  };
  const { secure } = options;
  const socket =
    secure === undefined
      ? connect(to)
      : connectTls({ ...to, servername: secure, ALPNProtocols: ['http/1.1'], rejectUnauthorized: false });
  // Joined only when somebody looks: a body of many megabytes comes in many pieces.
  let pieces: Buffer[] = [];
  let length = 0;
  // Of an answer: what fails after its first byte was cut.
  let hasBegun = false;
  let ended = false;
  let failure: Error | undefined;
  let wake: () => void = () => undefined;
  const { promise: closed, resolve: onClosed } = Promise.withResolvers<void>();
  socket.on('data', (chunk: Buffer) => {
    pieces.push(chunk);
    length += chunk.length;
    hasBegun = true;
    wake();
  });
  socket.on('end', () => {
    ended = true;
    wake();
  });
  socket.on('error', (error) => {
    failure = error;
    wake();
  });
  socket.on('close', () => {
    ended = true;
    wake();
    onClosed();
  });
  await new Promise<void>((resolve, reject) => {
    socket.once(secure === undefined ? 'connect' : 'secureConnect', resolve);
    socket.once('error', (error) => reject(new RawError('refused', error.message)));
    socket.setTimeout(options.patience ?? 60_000, () => {
      socket.destroy(new Error('no connection in time'));
    });
  });
  socket.setTimeout(0);
  const patience = options.patience ?? 60_000;

  /** Waits until `probe` finds something in what has come. */
  async function until<T>(probe: () => T | undefined): Promise<T> {
    const timer = setTimeout(() => {
      failure ??= new RawError('timeout', `nothing within ${patience} ms`);
      wake();
    }, patience);
    try {
      for (;;) {
        const found = probe();
        if (found !== undefined) return found;
        if (failure instanceof RawError) throw failure;
        const so = hasBegun ? 'within the answer' : 'before any byte';
        if (failure !== undefined) throw new RawError(hasBegun ? 'cut' : 'reset', `${failure.message} ${so}`);
        if (ended) throw new RawError(hasBegun ? 'cut' : 'closed', `closed ${so}`);
        await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  function joined(): Buffer {
    if (pieces.length !== 1) pieces = [Buffer.concat(pieces)];
    return pieces[0]!;
  }

  function take(count: number): Buffer {
    const all = joined();
    pieces = [all.subarray(count)];
    length -= count;
    return all.subarray(0, count);
  }

  const bytes = async (count: number): Promise<Buffer> =>
    take(await until(() => (length >= count ? count : undefined)));

  async function line(): Promise<string> {
    const end = await until(() => {
      const at = joined().indexOf('\r\n');
      return at === -1 ? undefined : at;
    });
    return take(end + 2)
      .subarray(0, end)
      .toString('latin1');
  }

  async function headers(): Promise<(readonly [string, string])[]> {
    const found: (readonly [string, string])[] = [];
    for (let text = await line(); text !== ''; text = await line()) {
      const colon = text.indexOf(':');
      if (colon < 1) throw new RawError('malformed', `the header ${JSON.stringify(text)}`);
      found.push([text.slice(0, colon).toLowerCase(), text.slice(colon + 1).trim()]);
    }
    return found;
  }

  async function body(head: readonly (readonly [string, string])[]): Promise<Buffer> {
    const value = (name: string): string | undefined => head.find(([key]) => key === name)?.[1];
    if (value('transfer-encoding') !== undefined) {
      const chunks: Buffer[] = [];
      for (;;) {
        const size = Number.parseInt(await line(), 16);
        if (!(size >= 0)) throw new RawError('malformed', 'the size of a chunk');
        if (size === 0) break;
        chunks.push(Buffer.from(await bytes(size)));
        await bytes(2);
      }
      await headers();
      return Buffer.concat(chunks);
    }
    const announced = value('content-length');
    if (announced !== undefined) return Buffer.from(await bytes(Number(announced)));
    await until(() => (ended ? true : undefined));
    return Buffer.from(take(length));
  }

  return {
    socket,
    send: (text) => socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text),
    bytes,
    closed,
    get isIdle() {
      return !ended && failure === undefined && length === 0;
    },
    async answer(method = 'GET') {
      hasBegun = length > 0;
      const start = /^HTTP\/1\.1 (\d{3})(?: |$)/.exec(await line());
      if (start === null) throw new RawError('malformed', 'the status line');
      const status = Number(start[1]);
      const head = await headers();
      const isBodiless = method === 'HEAD' || status < 200 || status === 204 || status === 304;
      return { status, headers: head, body: isBodiless ? Buffer.alloc(0) : await body(head) };
    },
    [Symbol.dispose]() {
      socket.destroy();
    },
  };
}

/** One request on a connection of its own. */
export async function ask(
  address: string,
  port: number,
  request: string | Buffer,
  options: { readonly from?: string; readonly method?: string } = {},
): Promise<RawAnswer> {
  using client = await openRaw(address, port, options);
  client.send(request);
  return await client.answer(options.method);
}

export function valueOf(answer: RawAnswer, name: string): string | undefined {
  return answer.headers.find(([key]) => key === name)?.[1];
}
