import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A span as it arrived by OTLP in its JSON form. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  /** 1 internal, 2 server, 3 client, 5 consumer. */
  readonly kind: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** 2 is an error. */
  readonly status: { readonly code?: number; readonly message?: string };
  /** The attributes of who sent it. */
  readonly resource: Readonly<Record<string, string | number | boolean>>;
}

/** A collector of traces for tests. */
export interface TraceReceiver extends AsyncDisposable {
  /** What to set: endpoint, form and a short delay. */
  readonly environment: Readonly<Record<string, string>>;
  readonly spans: readonly ReceivedSpan[];
  /** The content type of each request. */
  readonly requests: readonly string[];
  /** Everything that was sent, as it came. */
  readonly bodies: readonly string[];
}

interface Payload {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Pair[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly (Omit<ReceivedSpan, 'attributes' | 'resource'> & {
        readonly attributes: readonly Pair[];
      })[];
    }[];
  }[];
}

interface Pair {
  readonly key: string;
  readonly value: Readonly<Record<string, string | number | boolean>>;
}

export async function startReceiver(): Promise<TraceReceiver> {
  const spans: ReceivedSpan[] = [];
  const requests: string[] = [];
  const bodies: string[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    const type = request.headers['content-type'] ?? '';
    requests.push(type);
    bodies.push(body);
    if (type === 'application/json') spans.push(...read(JSON.parse(body) as Payload));
    response.writeHead(200, { 'content-type': type }).end(type === 'application/json' ? '{}' : '');
  };
  const server = createServer((request, response) => void take(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    environment: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '50',
    },
    spans,
    requests,
    bodies,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function read({ resourceSpans }: Payload): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap((scope) =>
      scope.spans.map((span) => ({
        ...span,
        attributes: plain(span.attributes),
        resource: plain(resource.attributes),
      })),
    ),
  );
}

const plain = (pairs: readonly Pair[]): ReceivedSpan['attributes'] =>
  Object.fromEntries(
    pairs.map(({ key, value }) => {
      const [form, held] = Object.entries(value)[0] as [string, string | number | boolean];
      return [key, form === 'intValue' ? Number(held) : held];
    }),
  );
