import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { freePort } from '@slipway/storage/testing';
import { afterEach, describe, expect, test } from 'vitest';

import type { HealthCheckRecord, ProtocolVersion } from '../records/index.ts';

import { networkProbe } from './probe.ts';

const servers: { close(): unknown; closeAllConnections?(): void }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections?.();
    server.close();
  }
});

async function listen(server: Server & { closeAllConnections?(): void }): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const web = (answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<number> =>
  listen(createServer(answer));

const probe = (port: number, given: Partial<HealthCheckRecord> = {}, version: ProtocolVersion = 'HTTP1') =>
  networkProbe({
    address: '127.0.0.1',
    port,
    version,
    check: {
      protocol: 'HTTP',
      port: 'traffic-port',
      path: '/up?x=1',
      matcher: '200-299',
      interval: 60,
      timeout: 30,
      healthyThreshold: 2,
      unhealthyThreshold: 2,
      ...given,
    },
  });

describe('checks over the network', () => {
  test('an HTTP check is what ELB sends', async () => {
    let seen: Partial<IncomingMessage> = {};
    const port = await web((request, response) => {
      seen = { method: request.method, url: request.url, headers: request.headers };
      response.end('x'.repeat(1_000_000));
    });
    expect(await probe(port)).toEqual({ kind: 'passed' });
    expect(seen).toMatchObject({
      method: 'GET',
      url: '/up?x=1',
      headers: { host: `127.0.0.1:${port}`, 'user-agent': 'ELB-HealthChecker/2.0', connection: 'close' },
    });
  });

  test('another code than the matcher has fails with it', async () => {
    const port = await web((_request, response) => response.writeHead(503).end());
    expect(await probe(port)).toEqual({ kind: 'code', code: 503 });
    expect(await probe(port, { matcher: '200,503' })).toEqual({ kind: 'passed' });
  });

  test('no answer in time is a timeout', async () => {
    const port = await web(() => {});
    expect(await probe(port, { timeout: 0.05 })).toEqual({ kind: 'timeout' });
  });

  test('what cannot be reached says where and why', async () => {
    // Not one that the kernel may give to somebody else meanwhile.
    const port = await freePort();
    const problem = `127.0.0.1:${port}: ECONNREFUSED`;
    expect(await probe(port)).toEqual({ kind: 'failed', problem });
    expect(await probe(port, { protocol: 'TCP' })).toEqual({ kind: 'failed', problem });
    expect(await probe(port, {}, 'HTTP2')).toEqual({ kind: 'failed', problem });
  });

  test('what answers something else than HTTP fails', async () => {
    const port = await listen(createTcpServer((socket) => socket.on('error', () => {}).end('SSH-2.0-OpenSSH\r\n')));
    expect(await probe(port)).toMatchObject({ kind: 'failed' });
    expect(await probe(port, { protocol: 'TCP' })).toEqual({ kind: 'passed' });
    expect(await probe(port, {}, 'HTTP2')).toMatchObject({ kind: 'failed' });
  });

  test('HTTP/2 with prior knowledge', async () => {
    const server = createHttp2Server((request, response) => {
      response.writeHead(request.headers['user-agent'] === 'ELB-HealthChecker/2.0' ? 204 : 400).end();
    });
    expect(await probe(await listen(server as unknown as Server), {}, 'HTTP2')).toEqual({ kind: 'passed' });
  });

  test('gRPC is judged by the status of the call', async () => {
    const server = createHttp2Server();
    server.on('stream', (stream: ServerHttp2Stream, headers) => {
      if (headers[':path'] === '/headers') {
        stream.respond({ ':status': 200, 'grpc-status': '12' }, { endStream: true });
        return;
      }
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '5' }));
      stream.end();
    });
    const port = await listen(server as unknown as Server);
    const grpc = { matcher: '12' };
    expect(await probe(port, { ...grpc, path: '/headers' }, 'GRPC')).toEqual({ kind: 'passed' });
    expect(await probe(port, { ...grpc, path: '/trailers' }, 'GRPC')).toEqual({ kind: 'code', code: 5 });
  });
});
