import { once } from 'node:events';
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HttpListener, Target } from '../../../routing/index.ts';
import { listenerOf } from '../../../routing/testing/generate.ts';
import { anyTls, askTls, certificateFor } from './certificates.ts';
import { freshAddress } from './raw.ts';
import type { Bench } from './suite.ts';
import { groupOf, headerOf, type Seen } from './targets.ts';

interface Call {
  readonly head: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Whether the stream was ended by an error. */
  readonly rstCode: number;
}

async function call(
  session: ClientHttp2Session,
  headers: Readonly<Record<string, string>>,
  body: Buffer | undefined,
): Promise<Call> {
  const stream = session.request({ ':authority': 'A.example.com', ...headers }, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  let head: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  const chunks: Buffer[] = [];
  stream.on('response', (given) => (head = given));
  stream.on('trailers', (given) => (trailers = given));
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('error', () => undefined);
  await new Promise((resolve) => stream.once('close', resolve));
  return { head, trailers, body: Buffer.concat(chunks), rstCode: stream.rstCode };
}

const statusOf = ({ head }: Pick<Call, 'head'>): number => Number(head[':status']);

/** HTTP/2 and gRPC: towards clients over TLS, towards targets of groups that speak them. */
export function http2Suite(bench: () => Bench): void {
  describe('HTTP/2', () => {
    let listener: HttpListener;
    let session: ClientHttp2Session;
    const sessions = new Set<ServerHttp2Session>();
    const seen: IncomingHttpHeaders[] = [];
    // Without TLS, as tasks speak gRPC.
    const target = createServer();
    beforeAll(async () => {
      target.on('session', (one) => sessions.add(one));
      target.on('stream', (stream: ServerHttp2Stream, headers) => {
        seen.push(headers);
        stream.on('error', () => undefined);
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          if (headers['x-do'] === 'refuse') return stream.close(2);
          stream.respond(
            { ':status': 200, 'x-target': 'h2', 'content-type': 'application/grpc' },
            { waitForTrailers: true },
          );
          stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': 'fine' }));
          if (headers['x-do'] === 'cut') {
            stream.write('begun', () => stream.session?.socket.destroy());
            return;
          }
          stream.end(Buffer.concat(chunks));
        });
      });
      target.listen(0, '127.0.0.1');
      await once(target, 'listening');
      const { port } = target.address() as AddressInfo;
      const registered: Target = { registrationId: `h2/${port}`, address: '127.0.0.1', port, weight: 1, state: 'up' };
      const to = (path: string, id: string) =>
        ({
          id,
          conditions: [{ kind: 'path-pattern', values: [path], regexValues: [] }],
          action: { kind: 'forward', targetGroups: [{ id, weight: 1 }] },
        }) as const;
      listener = listenerOf({
        address: freshAddress(),
        protocol: 'HTTPS',
        tls: { certificates: ['c'], ...anyTls },
        rules: [to('/grpc*', 'grpc'), to('/h2*', 'h2')],
        defaultAction: { kind: 'forward', targetGroups: [{ id: 'a', weight: 1 }] },
      });
      await bench().apply({
        certificates: [certificateFor('c', 'a.example.com')],
        listeners: [listener],
        targetGroups: [
          groupOf('a', [bench().a.target()]),
          groupOf('grpc', [registered], { protocolVersion: 'GRPC' }),
          groupOf('h2', [registered], { protocolVersion: 'HTTP2' }),
        ],
      });
      session = connect(`https://${listener.address}:${listener.port}`, { rejectUnauthorized: false });
      await once(session, 'connect');
    });
    afterAll(async () => {
      session.destroy();
      for (const one of sessions) one.destroy();
      target.close();
      await once(target, 'close');
    });

    it('of a client becomes HTTP/1.1 for targets that speak it, with bodies of known and unknown length', async () => {
      for (const length of [undefined, '5']) {
        const { head, body } = await call(
          session,
          {
            ':method': 'POST',
            ':path': '/x?y=1',
            cookie: 'a=b',
            ...(length === undefined ? {} : { 'content-length': length }),
          },
          Buffer.from('hello'),
        );
        const got = JSON.parse(body.toString()) as Seen;
        expect([
          head[':status'],
          got.method,
          got.url,
          got.length,
          headerOf(got, 'host'),
          headerOf(got, 'cookie'),
        ]).toEqual([200, 'POST', '/x?y=1', 5, 'a.example.com', 'a=b']);
        expect([headerOf(got, 'x-forwarded-proto'), headerOf(got, 'x-forwarded-for')]).toEqual(['https', '127.0.0.1']);
      }
      expect((await call(session, { ':method': 'GET', ':path': '/' }, undefined)).head[':status']).toBe(200);
      expect(
        JSON.parse((await call(session, { ':method': 'GET', ':path': '/' }, Buffer.from('hello'))).body.toString()),
      ).toMatchObject({ length: 5 });
    });

    it('goes to the authority that it names, whatever it says of a host besides', async () => {
      const { body } = await call(session, { ':method': 'GET', ':path': '/', host: 'b' }, undefined);
      const got = JSON.parse(body.toString()) as Seen;
      expect(got.headers.filter(([name]) => name.toLowerCase() === 'host').map(([, value]) => value)).toEqual([
        'a.example.com',
      ]);
    });

    it('carries many requests of one connection at once', async () => {
      const all = await Promise.all(
        Array.from({ length: 50 }, (_, i) => call(session, { ':method': 'GET', ':path': `/${i}` }, undefined)),
      );
      expect(all.map(({ body }) => (JSON.parse(body.toString()) as Seen).url)).toEqual(all.map((_, i) => `/${i}`));
    });

    it('carries gRPC: the call as it is, the message both ways, the status in the trailers', async () => {
      const message = Buffer.from([0, 0, 0, 0, 3, 1, 2, 3]);
      const { head, trailers, body } = await call(
        session,
        {
          ':method': 'POST',
          ':path': '/grpc.Service/Method',
          'content-type': 'application/grpc',
          te: 'trailers',
          'x-own': '1',
        },
        message,
      );
      expect([head[':status'], head['x-target'], body, trailers['grpc-status'], trailers['grpc-message']]).toEqual([
        200,
        'h2',
        message,
        '0',
        'fine',
      ]);
      expect(seen.at(-1)).toMatchObject({
        ':path': '/grpc.Service/Method',
        te: 'trailers',
        'x-own': '1',
        'x-forwarded-proto': 'https',
      });
      const { ':authority': authority, host } = seen.at(-1)!;
      expect(authority ?? host).toBe('a.example.com');
    });

    it('reaches targets of HTTP/2 with GET, too', async () => {
      const { head } = await call(session, { ':method': 'GET', ':path': '/h2' }, undefined);
      expect([head[':status'], head['x-target'], seen.at(-1)?.[':method']]).toEqual([200, 'h2', 'GET']);
    });

    it('of a target that fails fails, and looks cut where the answer had begun', async () => {
      const ask = async (what: string): Promise<Call> =>
        call(session, { ':method': 'POST', ':path': '/h2', 'x-do': what }, Buffer.from('x'));
      const refused = await ask('refuse');
      // HAProxy gives the error on to the client's stream.
      expect(refused.rstCode !== 0 || statusOf(refused) === 502).toBe(true);
      const cut = await ask('cut');
      // What tells the end of a call is its status.
      expect(cut.trailers['grpc-status']).toBeUndefined();
    });

    it.each([
      ['gRPC to targets of HTTP/1.1', { ':method': 'POST', ':path': '/', 'content-type': 'application/grpc' }],
      ['GET to targets of gRPC', { ':method': 'GET', ':path': '/grpc' }],
    ])('is answered 464: %s', async (_, headers) => {
      expect((await call(session, headers, undefined)).head[':status']).toBe(464);
    });

    it.each(['/grpc', '/h2'])('is what groups at %s ask of clients', async (path) => {
      const { answer } = await askTls(listener.address, listener.port, {
        text: `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      });
      expect(answer).toMatch(/^HTTP\/1\.1 464 /);
    });

    it.each<[string, Readonly<Record<string, string>>]>([
      ['a fragment', { ':method': 'GET', ':path': '/a#b' }],
      ['no path', { ':method': 'GET', ':path': 'a' }],
    ])('is refused with %s', async (_, headers) => {
      const before = bench().a.seen.length;
      const { head, rstCode } = await call(session, headers, undefined);
      expect(statusOf({ head }) === 400 || rstCode !== 0).toBe(true);
      expect(bench().a.seen.length).toBe(before);
    });
  });
}
