/** What may go wrong with a request, told apart (each is a different fault of whoever carries traffic). */
export const failureClasses = {
  refused: 'no connection to the listener',
  'lost-fresh': 'a fresh connection ended before the first byte of the answer',
  'lost-reused': 'a connection that was still open when the request was sent ended before the first byte of the answer',
  cut: 'the connection ended within the answer',
  silent: 'nothing came for a minute',
  malformed: 'an answer that is no HTTP',
  'engine-502': '502 that no target sent',
  'engine-503': '503 that no target sent',
  'engine-504': '504 that no target sent',
  'engine-other': 'another answer that no target sent',
  'wrong-status': 'a target answered with a status that it was not asked for',
  'wrong-body': 'a body with another length or other bytes than were sent',
  'wrong-service': "answered, or executed, by another service's target",
  'executed-twice': 'a request that must not be repeated reached targets twice',
  unseen: 'answered, though no target has seen it',
  unprocessed: 'HTTP/2: refused by GOAWAY or REFUSED_STREAM, and again on another session',
} as const;

export type FailureClass = keyof typeof failureClasses;

/** A request that failed. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly kind: FailureClass;
  constructor(kind: FailureClass, detail: string) {
    super(`${kind}: ${detail}`);
    this.kind = kind;
  }
}

export interface FailedRequest {
  readonly kind: FailureClass;
  /** Which client it was of. */
  readonly client: string;
  readonly id: string;
  readonly detail: string;
  /** Milliseconds since the load began. */
  readonly at: number;
}

export interface Report {
  readonly seed: number;
  /** Requests that came to an end, by client. */
  readonly requests: Readonly<Record<string, number>>;
  readonly total: number;
  readonly failures: readonly FailedRequest[];
  /** Requests of safe methods that were executed more than once, which is allowed. */
  readonly repeated: number;
  /** Milliseconds from request to whole answer, of those that took no longer than they asked to. */
  readonly latency: { readonly p50: number; readonly p99: number; readonly most: number };
}

/** A report in a few lines, for whoever reads why a test failed. */
export function describeReport({ seed, total, requests, failures, repeated, latency }: Report): string {
  const counts = Map.groupBy(failures, ({ kind }) => kind);
  return [
    `seed ${seed}: ${total} requests (${Object.entries(requests)
      .map(([client, count]) => `${client} ${count}`)
      .join(', ')}), ${failures.length} failed, ${repeated} safe ones executed again`,
    `p50 ${latency.p50} ms, p99 ${latency.p99} ms, at most ${latency.most} ms`,
    ...[...counts].map(([kind, all]) => `${all.length} ${kind} (${failureClasses[kind]})`),
    ...failures.slice(0, 20).map(({ client, id, detail, at }) => `  at ${at} ms, ${client} ${id}: ${detail}`),
  ].join('\n');
}
