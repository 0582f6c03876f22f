import type { Outbound } from '@slipway/auth/outbound';
import { traceFetch, type Tracing } from '@slipway/storage/telemetry';

/**
 * The guarded client with a span for each request that a traced piece of work makes.
 * @param toWhom `ours`: servers that this operator runs or named for the purpose are told the trace's identifiers; `strangers`: never
 */
export function traceOutbound(
  outbound: Outbound,
  tracing: Tracing | undefined,
  toWhom: 'ours' | 'strangers',
): Outbound {
  if (tracing === undefined) return outbound;
  const tell = toWhom === 'ours';
  return {
    ...outbound,
    fetch: traceFetch((url, init) => outbound.fetch(url, init), tracing, tell),
    stream: traceFetch(outbound.stream, tracing, tell),
  };
}
