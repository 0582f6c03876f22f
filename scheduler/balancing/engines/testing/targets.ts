import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { StreamListener } from '../../../routing/index.ts';
import type { Target, TargetGroup } from '../contract.ts';
import { freshAddress } from './raw.ts';

/** What a target saw of a request; its answer's body is this as JSON. */
export interface Seen {
  readonly target: string;
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly trailers: readonly string[];
  readonly length: number;
  readonly digest: string;
}

/** A server behind an engine. */
export interface TestTarget extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  readonly seen: Seen[];
  /** Of a group, in the given state. */
  target(state?: Target['state']): Target;
}

export type Answer = (request: IncomingMessage, response: ServerResponse, seen: Seen) => void;

const echo: Answer = (_, response, seen) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(seen));
};

/** Starts a target that answers with what it saw, in a header of its own name too, or as `answer` says. */
export async function startTarget(name: string, answer: Answer = echo): Promise<TestTarget> {
  const seen: Seen[] = [];
  const server = createServer({ keepAliveTimeout: 60_000, maxHeaderSize: 131_072 }, (request, response) => {
    const hash = createHash('sha256');
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      hash.update(chunk);
    });
    request.on('end', () => {
      const headers = request.rawHeaders.flatMap((key, i, all) => (i % 2 === 0 ? [[key, all[i + 1]!] as const] : []));
      const { method = '', url = '', rawTrailers } = request;
      const one: Seen = {
        target: name,
        method,
        url,
        headers,
        trailers: rawTrailers,
        length,
        digest: hash.digest('hex'),
      };
      seen.push(one);
      response.setHeader('x-target', name);
      answer(request, response, one);
    });
  });
  server.on('upgrade', (request, socket) => {
    socket.on('error', () => undefined);
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\nx-target: ${name}\r\n\r\n`,
    );
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    name,
    port,
    seen,
    target: (state = 'up') => ({
      registrationId: `registration/${name}/${port}`,
      address: '127.0.0.1',
      port,
      weight: 1,
      state,
    }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The header of a request that a target saw, the first line of that name. */
export function headerOf(seen: Seen, name: string): string | undefined {
  return seen.headers.find(([key]) => key.toLowerCase() === name)?.[1];
}

/** A group of HTTP targets; whatever matters not is as usual. */
export function groupOf(id: string, targets: readonly Target[], given: Partial<TargetGroup> = {}): TargetGroup {
  return {
    id,
    protocol: 'HTTP',
    protocolVersion: 'HTTP1',
    algorithm: 'round_robin',
    slowStart: 0,
    retrySafe: true,
    freshConnections: false,
    proxyProtocol: false,
    targets,
    ...given,
  };
}

/** A listener that passes bytes on to the group `t`, at an address of its own; whatever matters not is as usual. */
export function streamOf(given: Partial<StreamListener> = {}): StreamListener {
  return {
    id: 'stream',
    loadBalancerId: 'net/x/1',
    protocol: 'TCP',
    address: freshAddress(),
    port: 7000,
    admitted: ['0.0.0.0/0', '::/0'],
    idleTimeout: 350,
    defaultAction: { kind: 'forward', targetGroups: [{ id: 't', weight: 1 }] },
    ...given,
  };
}
