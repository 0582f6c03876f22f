import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BlobStoreError } from '../blobs/index.ts';
import { openS3Blobs, type S3Blobs } from '../blobs/s3-blobs.ts';
import { bodyOf, collect, sha256 } from '../blobs/testing/contract.ts';
import { findS3Server, implementations, s3Missing, S3Server } from '../blobs/testing/s3-servers.ts';
import { systemClock } from '../clock/index.ts';

/** What to do with one request: pass it on, or fail it in one of the ways that stores fail. */
type Fault = 'none' | 'error' | 'reset' | 'lost-answer' | 'cut-answer' | 'silence';

/** Stands before a real store and fails requests as it is told. */
class FaultProxy {
  fault: (call: IncomingMessage) => Fault = () => 'none';
  faults = 0;
  readonly #target: URL;
  readonly #server: Server;

  constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((incoming, answer) => this.#handle(incoming, answer));
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await new Promise((resolve) => this.#server.once('listening', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #handle(incoming: IncomingMessage, answer: ServerResponse): void {
    const fault = this.fault(incoming);
    if (fault !== 'none') this.faults++;
    if (fault === 'silence') return;
    if (fault === 'error') {
      incoming
        .resume()
        .on('end', () =>
          answer.writeHead(503, { 'content-type': 'application/xml' }).end('<Error><Code>SlowDown</Code></Error>'),
        );
      return;
    }
    if (fault === 'reset') {
      // In the middle of a body, where there is one.
      incoming.once('data', () => incoming.socket.destroy()).once('end', () => incoming.socket.destroy());
      return;
    }
    const { hostname, port } = this.#target;
    const onward = request(
      // The signature covers the host that the client named.
      { hostname, port, method: incoming.method, path: incoming.url, headers: incoming.headers },
      (reply) => {
        if (fault === 'lost-answer') {
          reply.resume().on('end', () => answer.socket?.destroy());
          return;
        }
        answer.writeHead(reply.statusCode!, reply.headers);
        if (fault === 'cut-answer') {
          reply.once('data', (chunk: Buffer) =>
            answer.write(chunk.subarray(0, chunk.byteLength / 2), () => answer.socket?.destroy()),
          );
          reply.resume();
          return;
        }
        reply.pipe(answer);
      },
    );
    onward.on('error', () => answer.socket?.destroy());
    incoming.pipe(onward);
  }
}

const program = findS3Server(implementations.minio);

const missing = s3Missing(program, implementations.minio);

// Under CI the start of the server fails instead.
describe.skipIf(missing !== undefined && !process.env['CI'])(
  `a store that fails${missing ? ` (${missing})` : ''}`,
  () => {
    let server: S3Server;
    let proxy: FaultProxy;
    let store: S3Blobs;
    const bytes = randomBytes(12 * 1024 * 1024 + 5);

    beforeAll(async () => {
      server = await S3Server.start(program, implementations.minio);
      proxy = new FaultProxy(server.connection.endpoint);
      const endpoint = await proxy.listen();
      store = await openS3Blobs({ ...server.connection, endpoint, timeout: 1500 }, systemClock, Math.random);
    });
    afterAll(async () => {
      await store.close();
      proxy.close();
      await server.dispose();
    });

    const push = async () => {
      const { staged } = await store.append(await store.stage(), bodyOf(bytes));
      return store.seal(staged, sha256(bytes));
    };

    test.each<[string, Fault, RegExp]>([
      ['says 503 to a part', 'error', /^PUT .*partNumber=2/],
      ['resets the connection in the middle of a part', 'reset', /^PUT .*partNumber=1/],
      ['loses the answer to a part', 'lost-answer', /^PUT .*partNumber=2/],
      ['loses the answer to the completion', 'lost-answer', /^POST .*uploadId=/],
      ['says 503 to the completion', 'error', /^POST .*uploadId=/],
      ['is silent to a part', 'silence', /^PUT .*partNumber=1/],
      ['loses the answer to the marker', 'lost-answer', /^PUT .*sealed/],
    ])('a push succeeds when the store %s once', { timeout: 180_000 }, async (_title, fault, pattern) => {
      let left = 1;
      proxy.fault = ({ method, url }) => (pattern.test(`${method} ${url}`) && left-- > 0 ? fault : 'none');
      const sealed = await push();
      proxy.fault = () => 'none';
      expect(left).toBeLessThan(1);
      expect(sha256(await collect((await store.open(sealed)).stream()))).toBe(sha256(bytes));
    });

    test.each<[string, Fault]>([
      ['is cut off', 'cut-answer'],
      ['is reset', 'reset'],
      ['fails with 503', 'error'],
    ])('a pull that %s goes on where it stopped', { timeout: 180_000 }, async (_title, fault) => {
      proxy.fault = () => 'none';
      const sealed = await push();
      const source = await store.open(sealed);
      let left = 2;
      proxy.fault = ({ method }) => (method === 'GET' && left-- > 0 ? fault : 'none');
      expect(sha256(await collect(source.stream()))).toBe(sha256(bytes));
      proxy.fault = () => 'none';
    });

    test('pushes come through when one request of twenty fails at random', { timeout: 180_000 }, async () => {
      const kinds: readonly Fault[] = ['error', 'reset', 'lost-answer'];
      proxy.faults = 0;
      proxy.fault = () => (Math.random() < 0.05 ? kinds[Math.floor(Math.random() * kinds.length)]! : 'none');
      const sealed = [];
      for (let round = 0; round < 6; round++) sealed.push(...(await Promise.all([push(), push()])));
      proxy.fault = () => 'none';
      expect(proxy.faults).toBeGreaterThan(0);
      for (const blob of sealed) expect(sha256(await collect((await store.open(blob)).stream()))).toBe(sha256(bytes));
    });

    test(
      'a store that stays away fails the push in bounded time, and the next push succeeds',
      { timeout: 180_000 },
      async () => {
        const { staged } = await store.append(await store.stage(), bodyOf(bytes));
        proxy.fault = () => 'error';
        const refusal = await store.seal(staged, sha256(bytes)).catch((error: unknown) => error);
        expect(refusal).toBeInstanceOf(BlobStoreError);
        expect(refusal).toMatchObject({ code: 'unavailable' });
        proxy.fault = () => 'none';
        // The same upload goes on from where it was.
        const sealed = await store.seal(staged, sha256(bytes));
        expect(sha256(await collect((await store.open(sealed)).stream()))).toBe(sha256(bytes));
      },
    );
  },
);
