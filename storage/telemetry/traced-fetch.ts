import type { Tracing } from './tracing.ts';

interface Request {
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/**
 * A client with a span for each request that a traced piece of work makes; paths and queries are left out, they may be signed.
 * @param tell whether the trace's identifiers go along: to other servers of ours, never to strangers
 */
export function traceFetch<Init extends Request>(
  fetch: (url: string, init?: Init) => Promise<Response>,
  tracing: Tracing,
  tell: boolean,
): (url: string, init?: Init) => Promise<Response> {
  return (url, init) => {
    const { hostname, port, protocol } = new URL(url);
    const method = init?.method ?? 'GET';
    const attributes = {
      'http.request.method': method,
      'server.address': hostname,
      'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
    };
    return tracing.step(method, { kind: 'client', attributes }, async (span) => {
      const told = tell ? ({ ...init, headers: { ...init?.headers, ...tracing.headers() } } as Init) : init;
      const response = await fetch(url, told);
      span?.set({ 'http.response.status_code': response.status });
      return response;
    });
  };
}
