import { createHash } from 'node:crypto';
import { type ClientHttp2Session, connect as connectHttp2, constants, type IncomingHttpHeaders } from 'node:http2';
import { openRaw, type RawAnswer, type RawClient, RawError } from '@slipway/scheduler/balancing/engines/testing';
import { Failure } from './report.ts';
import { eventOf } from './target.ts';

/** Where the load goes and whose answers are right. */
export interface Aim {
  readonly address: string;
  readonly port: number;
  /** The `Host` header. */
  readonly host: string;
  /** Whether the listener speaks TLS. */
  readonly isSecure: boolean;
  /** Services whose targets may answer. */
  readonly services: readonly string[];
  /** Bytes of a large body. */
  readonly bigBytes: number;
}

/** What a client gets from the load that runs it. */
export interface Run {
  readonly aim: Aim;
  readonly stopped: () => boolean;
  /** Milliseconds; ends early when the load stops. */
  readonly pause: (milliseconds: number) => Promise<void>;
  /** The same between requests, where loads that share a machine take more time. */
  readonly rest: (milliseconds: number) => Promise<void>;
  /** A number from `least` to below `most`. */
  readonly between: (least: number, most: number) => number;
  /** Runs one request under an id of its own and counts how it ended. `asked`: milliseconds that it takes anyway. Answers whether it went well. */
  readonly attempt: (
    work: (id: string) => Promise<void>,
    given?: { readonly safe?: boolean; readonly asked?: number },
  ) => Promise<boolean>;
}

/** A client: asks again and again until the load stops, and ends when its last request has. */
export type Client = (run: Run) => Promise<void>;

export type ClientKind = keyof typeof clients;

interface Request {
  readonly method?: 'GET' | 'POST';
  readonly query?: string;
  readonly body?: Buffer;
  /** Sends the body in pieces with pauses, or in chunks with a trailer. */
  readonly manner?: 'slowly' | 'chunked';
}

function head({ host }: Aim, id: string, { method = 'GET', query = '', body, manner }: Request): string {
  const framing =
    manner === 'chunked'
      ? 'Transfer-Encoding: chunked\r\nTrailer: x-end\r\n'
      : body === undefined
        ? ''
        : `Content-Length: ${body.length}\r\n`;
  return `${method} /?${query} HTTP/1.1\r\nHost: ${host}\r\nX-Request-Id: ${id}\r\n${framing}\r\n`;
}

/** Sends a request and takes its answer. A connection is fresh when it carried none before. @throws Failure */
async function exchange(
  run: Run,
  client: RawClient,
  isFresh: boolean,
  id: string,
  request: Request,
): Promise<RawAnswer> {
  try {
    client.send(head(run.aim, id, request));
    if (request.body !== undefined) await sendBody(run, client, request.body, request.manner);
    return await client.answer(request.method);
  } catch (error) {
    throw failureOf(error, isFresh);
  }
}

async function sendBody(run: Run, client: RawClient, body: Buffer, manner: Request['manner']): Promise<void> {
  if (manner === undefined) {
    client.send(body);
    return;
  }
  const size = Math.ceil(body.length / 8);
  for (let at = 0; at < body.length; at += size) {
    const piece = body.subarray(at, at + size);
    client.send(
      manner === 'chunked'
        ? Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')])
        : piece,
    );
    if (manner === 'slowly') await run.pause(20);
  }
  if (manner === 'chunked') client.send('0\r\nx-end: 1\r\n\r\n');
}

function failureOf(error: unknown, isFresh: boolean): Failure {
  if (!(error instanceof RawError)) throw error;
  switch (error.kind) {
    case 'refused':
    case 'cut':
    case 'malformed':
      return new Failure(error.kind, error.message);
    case 'timeout':
      return new Failure('silent', error.message);
    case 'reset':
    case 'closed':
      return new Failure(isFresh ? 'lost-fresh' : 'lost-reused', error.message);
  }
}

async function open(run: Run): Promise<RawClient> {
  try {
    const { address, port, host, isSecure } = run.aim;
    return await openRaw(address, port, { secure: isSecure ? host : undefined });
  } catch (error) {
    throw failureOf(error, true);
  }
}

/** What of an answer shows who gave it to what. */
interface Proof {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
  readonly body: Buffer;
}

const proofOf = ({ status, headers, body }: RawAnswer): Proof => ({
  status,
  body,
  header: (name) => headers.find(([key]) => key === name)?.[1],
});

/** @throws Failure unless one of our targets answered this request, whole, with the body that was asked for */
function judge({ services }: Aim, id: string, { status, header, body }: Proof, sent: Buffer, expected: Buffer): void {
  const target = header('x-target');
  if (target === undefined) {
    const kind = status === 502 || status === 503 || status === 504 ? (`engine-${status}` as const) : 'engine-other';
    throw new Failure(kind, `${status} ${body.toString('latin1', 0, 100)}`);
  }
  if (!services.includes(target)) throw new Failure('wrong-service', `${target} answered`);
  if (status !== 200) throw new Failure('wrong-status', `${target} answered ${status}`);
  if (header('x-id') !== id) throw new Failure('wrong-body', `the answer to ${header('x-id')}`);
  const digest = createHash('sha1').update(sent).digest('hex');
  if (header('x-length') !== String(sent.length) || header('x-digest') !== digest)
    throw new Failure('wrong-body', `${header('x-length')} of ${sent.length} bytes arrived`);
  if (!body.equals(expected)) throw new Failure('wrong-body', `${body.length} of ${expected.length} bytes came back`);
}

const nothing = Buffer.alloc(0);

async function ask(
  run: Run,
  client: RawClient,
  isFresh: boolean,
  id: string,
  request: Request & { readonly size?: number; readonly events?: number },
): Promise<void> {
  const { size = 0, events = 0 } = request;
  const answer = await exchange(run, client, isFresh, id, request);
  const expected =
    events > 0
      ? Buffer.from(Array.from({ length: events }, (_, place) => eventOf(id, place)).join(''))
      : Buffer.alloc(size, id);
  judge(run.aim, id, proofOf(answer), request.body ?? nothing, expected);
  if (answer.headers.some(([name, value]) => name === 'connection' && value.toLowerCase() === 'close'))
    client[Symbol.dispose]();
}

/** Over one connection for as long as it is open; another one after it was closed in good order. */
function keeping(
  make: (run: Run, id: string) => Request & { readonly size?: number; readonly asked?: number },
  think: (run: Run) => number,
): Client {
  return async (run) => {
    let client: RawClient | undefined;
    while (!run.stopped()) {
      const { method = 'GET' } = make(run, '');
      // Whoever looks first and finds the end must not send: that is how a connection is closed in good order.
      if (client?.isIdle === false) client = undefined;
      const isFresh = client === undefined;
      const went = await run.attempt(
        async (id) => {
          client ??= await open(run);
          await ask(run, client, isFresh, id, make(run, id));
        },
        { safe: method === 'GET' },
      );
      if (!went || client?.socket.destroyed === true) {
        client?.[Symbol.dispose]();
        client = undefined;
      }
      await run.rest(think(run));
    }
    client?.[Symbol.dispose]();
  };
}

/** A connection for each request. */
function fresh(
  make: (
    run: Run,
    id: string,
  ) => Request & { readonly size?: number; readonly events?: number; readonly asked?: number },
  think: (run: Run) => number,
): Client {
  return async (run) => {
    while (!run.stopped()) {
      const given = make(run, '');
      await run.attempt(
        async (id) => {
          using client = await open(run);
          await ask(run, client, true, id, {
            ...given,
            ...(given.body === undefined ? {} : { body: fill(given.body, id) }),
          });
        },
        { safe: given.method !== 'POST', asked: given.asked ?? 0 },
      );
      await run.rest(think(run));
    }
  };
}

const fill = (body: Buffer, id: string): Buffer => Buffer.alloc(body.length, id);

/** Bytes both ways over a connection that became another protocol. */
const webSocket: Client = async (run) => {
  while (!run.stopped()) {
    const rounds = 10;
    await run.attempt(
      async (id) => {
        using client = await open(run);
        try {
          client.send(
            `GET /ws HTTP/1.1\r\nHost: ${run.aim.host}\r\nX-Request-Id: ${id}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
          );
          const answer = await client.answer();
          if (answer.status !== 101) judge(run.aim, id, proofOf(answer), nothing, nothing);
          const service = proofOf(answer).header('x-target') ?? 'nobody';
          if (!run.aim.services.includes(service)) throw new Failure('wrong-service', `${service} answered`);
          for (let round = 0; round < rounds; round++) {
            const text = `${id} ${round};`;
            client.send(text);
            const back = (await client.bytes(text.length)).toString('latin1');
            if (back !== text) throw new Failure('wrong-body', `${back} came back`);
            await run.pause(run.between(0, 100));
          }
        } catch (error) {
          if (error instanceof Failure) throw error;
          throw failureOf(error, true);
        }
      },
      { asked: rounds * 100 },
    );
    await run.rest(20);
  }
};

/** Leaves in the midst of a request or of its answer: whatever comes of it must not disturb the others. */
const leaving: Client = async (run) => {
  while (!run.stopped()) {
    await run.attempt(async (id) => {
      using client = await open(run);
      const isUpload = run.between(0, 2) < 1;
      client.send(
        head(run.aim, id, isUpload ? { method: 'POST', body: Buffer.alloc(100_000) } : { query: 'delay=200' }),
      );
      await run.pause(run.between(0, 50));
    });
    await run.rest(50);
  }
};

/**
 * Several streams over one session of HTTP/2; a session that said goodbye gets no new ones. A stream that met the goodbye on its way was
 * refused, and nobody has seen it: as every client of HTTP/2 does, this one sends it again, once, on another session (RFC 9113, 8.7).
 */
const http2: Client = async (run) => {
  let session: ClientHttp2Session | undefined;
  const going = new WeakSet<ClientHttp2Session>();
  const current = (): ClientHttp2Session => {
    if (session !== undefined && !session.destroyed && !session.closed && !going.has(session)) return session;
    session?.close();
    const opened = connectHttp2(`https://${run.aim.host}`, {
      host: run.aim.address,
      port: run.aim.port,
      rejectUnauthorized: false,
    });
    opened.on('error', () => undefined);
    opened.on('goaway', () => going.add(opened));
    return (session = opened);
  };
  const ask = async (id: string, body: Buffer, isAgain = false): Promise<void> => {
    const used = current();
    try {
      judge(run.aim, id, await stream(used, run.aim, id, body, 1000), body, Buffer.alloc(1000, id));
    } catch (error) {
      if (isAgain || !(error instanceof Failure) || error.kind !== 'unprocessed') throw error;
      going.add(used);
      await ask(id, body, true);
    }
  };
  while (!run.stopped()) {
    await Promise.all(
      Array.from({ length: 4 }, async (_, i) =>
        run.attempt((id) => ask(id, i === 0 ? Buffer.alloc(4096, id) : nothing), { safe: i !== 0 }),
      ),
    );
    await run.rest(run.between(0, 60));
  }
  session?.close();
};

async function stream(
  session: ClientHttp2Session,
  { host }: Aim,
  id: string,
  body: Buffer,
  size: number,
): Promise<Proof> {
  return new Promise((resolve, reject) => {
    const method = body.length === 0 ? 'GET' : 'POST';
    const one = session.request({
      ':method': method,
      ':path': `/?size=${size}`,
      ':authority': host,
      'x-request-id': id,
    });
    let head: IncomingHttpHeaders | undefined;
    const chunks: Buffer[] = [];
    let hasEnded = false;
    let problem = 'the session ended';
    one.on('response', (headers) => (head = headers));
    one.on('data', (chunk: Buffer) => chunks.push(chunk));
    one.on('end', () => (hasEnded = true));
    one.on('error', (error) => (problem = error.message));
    one.on('close', () => {
      const body = Buffer.concat(chunks);
      // Node also ends the streams of a session whose connection was closed: only the length tells.
      const isWhole =
        hasEnded &&
        one.rstCode === constants.NGHTTP2_NO_ERROR &&
        Number(head?.['content-length'] ?? body.length) === body.length;
      if (head !== undefined && isWhole) {
        const found = head;
        return resolve({
          status: Number(found[':status']),
          header: (name) => [found[name]].flat()[0],
          body,
        });
      }
      if (head !== undefined) return reject(new Failure('cut', problem));
      if (one.rstCode === constants.NGHTTP2_REFUSED_STREAM) return reject(new Failure('unprocessed', problem));
      reject(new Failure(session.connecting ? 'refused' : 'lost-reused', problem));
    });
    // Without a body the request ended with its head.
    if (body.length > 0) one.end(body);
  });
}

/** Kinds of clients: together they have met every fault that the reference tells of. */
export const clients = {
  /** Busy over one connection. */
  busy: keeping(
    () => ({ query: 'size=100', size: 100 }),
    () => 2,
  ),
  /** Requests that must not be repeated, over one connection. */
  posting: keeping(
    (_, id) => ({ method: 'POST', query: 'size=10', size: 10, body: Buffer.alloc(4096, id) }),
    (run) => run.between(2, 20),
  ),
  /** Thinks for as long as connections are idle before somebody closes them. */
  thinking: keeping(
    (_, id) => ({ method: 'POST', body: Buffer.alloc(100, id) }),
    (run) => run.between(0, 60),
  ),
  /** Thinks for seconds. */
  idling: keeping(
    () => ({}),
    (run) => run.between(1000, 5000),
  ),
  fresh: fresh(
    () => ({ query: 'size=10', size: 10 }),
    () => 5,
  ),
  /** Requests that take their time. */
  slow: fresh(
    (run) => {
      const asked = Math.round(50 * 100 ** run.between(0, 1));
      return { query: `delay=${asked}&size=10`, size: 10, asked };
    },
    () => 20,
  ),
  /** Large bodies both ways, the way up in pieces. */
  big: fresh(
    (run) => {
      const size = run.aim.bigBytes;
      return { method: 'POST', query: `size=${size}`, size, body: Buffer.alloc(size), manner: 'slowly', asked: 200 };
    },
    () => 100,
  ),
  chunked: fresh(
    () => ({ method: 'POST', body: Buffer.alloc(10_000), manner: 'chunked' }),
    () => 50,
  ),
  /** Server-sent events. */
  events: fresh(
    () => ({ query: 'events=20&every=50', events: 20, asked: 1000 }),
    () => 20,
  ),
  webSocket,
  leaving,
  /** Only over HTTPS listeners. */
  http2,
} as const satisfies Record<string, Client>;
