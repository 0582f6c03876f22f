import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Answer, Connections } from '../exchange.ts';

/** A request on its way to the registry. What is changed here reaches it changed. */
export interface Asked {
  method: string;
  url: URL;
  headers: Record<string, string>;
  body: Buffer;
}

/** An answer on its way to the client. */
export interface Told {
  status: number;
  headers: Record<string, readonly string[]>;
  body: Buffer;
}

/** Like most fronts, this one has a limit of its own, in bytes. */
const maxBody = 16 * 2 ** 20;

/** One thing that a front does wrong. */
export interface Fault {
  readonly asked?: (asked: Asked) => void | Promise<void>;
  readonly told?: (told: Told, asked: Asked) => void;
}

export interface Front extends AsyncDisposable {
  readonly url: string;
}

/** A front before a registry that hands everything through, but for its fault. */
export async function startFront(registry: string, fault: Fault): Promise<Front> {
  const connections = new Connections(60_000);
  const server = createServer((request, response) => {
    pass(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  const pass = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (Number(request.headers['content-length'] ?? 0) > maxBody) return void response.writeHead(413).end();
    const asked = await readRequest(request, registry);
    await fault.asked?.(asked);
    const { method, url, headers, body } = asked;
    const answer = await connections.exchange(method, url, { headers, ...(body.length > 0 ? { body } : {}) });
    const told = copyOf(answer);
    fault.told?.(told, asked);
    if (method !== 'HEAD' && told.headers['content-length'] !== undefined)
      told.headers['content-length'] = [String(told.body.length)];
    for (const [name, lines] of Object.entries(told.headers)) response.setHeader(name, lines);
    response.writeHead(told.status).end(told.body);
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      connections.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Headers that are about one connection, or that are made anew. */
const ownHeaders = ['connection', 'keep-alive', 'transfer-encoding', 'date'];

async function readRequest(request: IncomingMessage, registry: string): Promise<Asked> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers))
    if (typeof value === 'string' && ![...ownHeaders, 'content-length'].includes(name)) headers[name] = value;
  return {
    method: request.method ?? 'GET',
    url: new URL(request.url ?? '/', registry),
    headers,
    body: Buffer.concat(chunks),
  };
}

function copyOf({ status, headers, body }: Answer): Told {
  const kept = Object.entries(headers).filter(([name]) => !ownHeaders.includes(name));
  return { status, headers: Object.fromEntries(kept.map(([name, lines]) => [name, lines ?? []])), body };
}
