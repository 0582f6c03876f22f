import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { certificateFor } from '@slipway/scheduler/balancing/engines/testing';
import { until } from '../command.ts';
import {
  type ClientKind,
  describeReport,
  type FailureClass,
  type LoadOptions,
  type Report,
  startLoad,
  startTarget,
  startWitness,
} from './index.ts';

/** Runs clients until so many requests have ended. */
async function loaded(
  options: Omit<LoadOptions, 'services'> & Partial<LoadOptions>,
  requests: number,
): Promise<Report> {
  const load = startLoad({ services: ['web'], ...options });
  await until('requests', 180_000, async () => load.total >= requests, 20);
  return load.stop();
}

/** A load balancer that answers every connection as it pleases. */
async function pretender(
  handle: (socket: Socket, text: string, place: number) => void,
): Promise<{ address: string; port: number } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let place = 0;
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => handle(socket, bytes.toString('latin1'), place++));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

const kindsOf = (report: Report): FailureClass[] => [...new Set(report.failures.map(({ kind }) => kind))];

/** What a target would say to a request without a body. */
function answerOf(
  text: string,
  given: { status?: string; service?: string; id?: string; body?: string; length?: number } = {},
): string {
  const id = /x-request-id: (\S+)/i.exec(text)?.[1] ?? '';
  const size = Number(/size=(\d+)/.exec(text)?.[1] ?? 0);
  const body = given.body ?? Buffer.alloc(size, id).toString();
  const proof =
    given.service === ''
      ? ''
      : `x-target: ${given.service ?? 'web'}\r\nx-id: ${given.id ?? id}\r\nx-length: 0\r\nx-digest: da39a3ee5e6b4b0d3255bfef95601890afd80709\r\n`;
  return `HTTP/1.1 ${given.status ?? '200 OK'}\r\n${proof}Content-Length: ${given.length ?? body.length}\r\n\r\n${body}`;
}

describe('load', () => {
  it('finds nothing wrong with targets themselves, whatever they do that is allowed', async () => {
    await using witness = await startWitness();
    for (const behaviour of [{}, { closes: true, slow: 5 }]) {
      await using target = await startTarget('web', { witness: witness.place, behaviour });
      const load = startLoad({
        address: target.address,
        port: target.port,
        services: ['web'],
        witness,
        bigBytes: 100_000,
      });
      const kinds: ClientKind[] = [
        'busy',
        'posting',
        'thinking',
        'idling',
        'fresh',
        'slow',
        'big',
        'chunked',
        'events',
        'webSocket',
        'leaving',
      ];
      await until('requests', 180_000, async () => load.total > 300, 20);
      const report = await load.stop();
      expect(report.failures, describeReport(report)).toEqual([]);
      expect(Object.keys(report.requests).toSorted()).toEqual(kinds.toSorted());
    }
  });

  it.each<[FailureClass, ClientKind, Parameters<typeof pretender>[0]]>([
    ['lost-fresh', 'fresh', (socket) => socket.end()],
    ['lost-fresh', 'busy', (socket) => socket.resetAndDestroy()],
    [
      'lost-reused',
      'busy',
      (socket, text, place) => (place === 0 ? socket.write(answerOf(text)) : socket.resetAndDestroy()),
    ],
    ['cut', 'busy', (socket, text) => socket.end(answerOf(text, { length: 1000 }))],
    ['cut', 'fresh', (socket) => socket.end('HTTP/1.1 200 O')],
    [
      'cut',
      'webSocket',
      (socket, _, place) =>
        place === 0 ? socket.write('HTTP/1.1 101 Switching Protocols\r\nx-target: web\r\n\r\n') : socket.destroy(),
    ],
    [
      'cut',
      'events',
      (socket, text) =>
        socket.end(
          answerOf(text, { body: 'data' })
            .replace(/Content-Length: \d+/, 'Transfer-Encoding: chunked')
            .replace('data', '4\r\ndata\r\n'),
        ),
    ],
    ['malformed', 'fresh', (socket) => socket.end('<html>\r\n\r\n')],
    ['engine-502', 'fresh', (socket, text) => socket.end(answerOf(text, { status: '502 Bad Gateway', service: '' }))],
    [
      'engine-503',
      'busy',
      (socket, text) => socket.end(answerOf(text, { status: '503 Service Unavailable', service: '' })),
    ],
    [
      'engine-504',
      'slow',
      (socket, text) => socket.end(answerOf(text, { status: '504 Gateway Timeout', service: '' })),
    ],
    [
      'engine-503',
      'webSocket',
      (socket, text) => socket.end(answerOf(text, { status: '503 Service Unavailable', service: '' })),
    ],
    ['engine-other', 'fresh', (socket, text) => socket.end(answerOf(text, { status: '404 Not Found', service: '' }))],
    ['wrong-status', 'fresh', (socket, text) => socket.end(answerOf(text, { status: '500 Oh' }))],
    ['wrong-service', 'busy', (socket, text) => socket.write(answerOf(text, { service: 'other' }))],
    ['wrong-body', 'busy', (socket, text) => socket.write(answerOf(text, { body: 'x'.repeat(100) }))],
    ['wrong-body', 'fresh', (socket, text) => socket.end(answerOf(text, { id: 'another' }))],
    ['wrong-body', 'thinking', (socket, text) => void (text.startsWith('POST') && socket.end(answerOf(text)))],
  ])('notices %s (%s)', async (kind, client, handle) => {
    await using place = await pretender(handle);
    expect(kindsOf(await loaded({ ...place, mix: { [client]: 1 } }, 3))).toEqual([kind]);
  });

  it('notices a listener that is not there', async () => {
    const place = await pretender(() => undefined);
    await place[Symbol.asyncDispose]();
    expect(kindsOf(await loaded({ ...place, mix: { fresh: 1, posting: 1 } }, 4))).toEqual(['refused']);
  });

  it('takes a connection that was closed while idle for what it is', async () => {
    await using target = await startTarget('web', { behaviour: { closes: true } });
    const report = await loaded({ address: target.address, port: target.port, mix: { busy: 1 } }, 20);
    expect(report.failures, describeReport(report)).toEqual([]);
  });

  it('notices what is executed twice, by another service, or by nobody', async () => {
    await using witness = await startWitness();
    await using web = await startTarget('web', { witness: witness.place });
    await using other = await startTarget('other', { witness: witness.place });
    /** Sends everything to one target and, where asked, to a second one whose answer nobody sees. */
    const doubling = (second: number | undefined) =>
      pretender((socket, text) => {
        for (const port of second === undefined ? [web.port] : [web.port, second]) {
          const upstream = connect(port, '127.0.0.1');
          upstream.on('error', () => undefined);
          upstream.end(text.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
          if (port === web.port && second !== port) upstream.pipe(socket);
          else if (second === port)
            upstream.on('data', (chunk: Buffer) => socket.write(chunk)).on('end', () => socket.end());
        }
      });
    {
      await using place = await doubling(other.port);
      expect(kindsOf(await loaded({ ...place, witness, mix: { posting: 1 } }, 3)).toSorted()).toEqual([
        'executed-twice',
        'wrong-service',
      ]);
      const safe = await loaded({ ...place, services: ['web', 'other'], witness, mix: { busy: 1 } }, 3);
      expect([safe.failures, safe.repeated]).toEqual([[], safe.total]);
    }
    await using unseen = await pretender((socket, text) => socket.end(answerOf(text)));
    const load = startLoad({
      ...unseen,
      services: ['web'],
      mix: { fresh: 1 },
      witnessPatience: 10,
      witness: { ...witness, executions: new Map() },
    });
    await until('requests', 180_000, async () => load.total > 0, 20);
    expect(kindsOf(await load.stop())).toEqual(['unseen']);
  });

  it('asks over HTTP/2, and notices answers that nobody or no target gave, that were cut or lost', async () => {
    const { chain, privateKey } = certificateFor('x', 'load.example.com');
    let mode: 'good' | 'engine' | 'cut' | 'refuse' | 'end' = 'good';
    const server = createSecureServer({ cert: chain, key: privateKey });
    server.on('stream', (stream: ServerHttp2Stream, headers) => {
      stream.on('error', () => undefined);
      const id = String(headers['x-request-id']);
      stream.resume();
      stream.on('end', () => undefined);
      if (mode === 'refuse') return stream.close(7);
      if (mode === 'end') return stream.session?.destroy();
      if (mode === 'engine') return void (stream.respond({ ':status': 503 }), stream.end());
      const digest = headers[':method'] === 'POST' ? undefined : 'da39a3ee5e6b4b0d3255bfef95601890afd80709';
      stream.respond({
        ':status': 200,
        'content-length': 1000,
        'x-target': 'web',
        'x-id': id,
        'x-length': digest === undefined ? '4096' : '0',
        'x-digest': digest ?? sha1(Buffer.alloc(4096, id)),
      });
      if (mode === 'cut') return void (stream.write('x'), setTimeout(() => stream.session?.destroy(), 20));
      stream.end(Buffer.alloc(1000, id));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const place = {
      address: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
      isSecure: true,
      mix: { http2: 1 },
    };
    const seen: unknown[] = [];
    for (mode of ['good', 'engine', 'cut', 'refuse', 'end'] as const) seen.push(kindsOf(await loaded(place, 8)));
    expect(seen).toEqual([[], ['engine-503'], ['cut'], ['unprocessed'], ['lost-reused']]);
    server.close();
  });
});

const sha1 = (bytes: Buffer): string => createHash('sha1').update(bytes).digest('hex');
