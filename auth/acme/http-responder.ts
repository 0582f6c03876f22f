import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { ListenError } from '../gateway/index.ts';

export interface HttpResponderOptions {
  readonly host: string;
  readonly port: number;
  /** The answer to a challenge's token; undefined when there is no such challenge. */
  readonly answer: (token: string) => Promise<string | undefined>;
  /** `host[:port]` under which the installation is reached by TLS, the usual one first. */
  readonly endpoints: readonly string[];
}

const challengePath = /^\/\.well-known\/acme-challenge\/([\w-]{1,256})$/;

/**
 * Plain HTTP that answers HTTP-01 challenges (RFC 8555, section 8.3) and sends everybody else to https.
 * @throws ListenError that says what to do
 */
export async function openHttpResponder(
  options: HttpResponderOptions,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const { host, port } = options;
  const server = createServer(
    {
      headersTimeout: 10_000,
      requestTimeout: 10_000,
      keepAliveTimeout: 1,
      connectionsCheckingInterval: 1000,
      maxHeaderSize: 8192,
    },
    (request, response) => void respond(request, response, options).catch(() => response.destroy()),
  );
  server.maxConnections = 256;
  await listen(server, host, port);
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  options: HttpResponderOptions,
): Promise<void> {
  request.resume();
  const plain = (status: number, text: string): unknown =>
    response.writeHead(status, { 'content-type': 'text/plain', connection: 'close' }).end(text);
  const { pathname, search } = target(request.url);
  const token = challengePath.exec(pathname)?.[1];
  if (token !== undefined) {
    const answer = await options.answer(token).catch(() => null);
    if (answer === null) plain(503, 'The store does not answer.\n');
    else if (answer === undefined) plain(404, 'There is no such challenge.\n');
    else plain(200, answer);
  } else if (request.method !== 'GET' && request.method !== 'HEAD') plain(403, 'Use https.\n');
  else {
    const location = `https://${endpointFor(request.headers.host, options.endpoints)}${pathname}${search}`;
    response.writeHead(308, { location, connection: 'close' }).end();
  }
}

function target(url = '/'): { readonly pathname: string; readonly search: string } {
  const end = url.indexOf('?');
  // Only what is a path from the root may follow a host name in a redirect.
  const pathname = end < 0 ? url : url.slice(0, end);
  return pathname.startsWith('/') ? { pathname, search: end < 0 ? '' : url.slice(end) } : { pathname: '/', search: '' };
}

/** The endpoint with the name that was asked for, else the first: nobody is sent to a host that is not ours. */
function endpointFor(host: string | undefined, endpoints: readonly string[]): string {
  const bare = (text: string): string => text.replace(/:\d+$/, '').toLowerCase();
  return endpoints.find((endpoint) => bare(endpoint) === bare(host ?? '')) ?? endpoints[0] ?? '';
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = { EADDRINUSE: 'another program has it', EACCES: 'there is no permission for it' }[cause.code ?? ''];
      const kind = cause.code === 'EACCES' ? 'no-permission' : 'in-use';
      reject(
        new ListenError(
          kind,
          `cannot answer ACME challenges at port ${port} on ${host}: ${why ?? cause.message}; stop what has it, give this program CAP_NET_BIND_SERVICE, or set SLIPWAY_ACME_HTTP_PORT and forward port 80 there`,
          { cause },
        ),
      );
    });
    server.listen({ host, port }, resolve);
  });
}
