import type { Codes, Counts, Latency } from '../contract.ts';
import { addCodes, addCounts, addLatency, latencyBounds, noCodes, noCounts, noLatency } from '../counts.ts';

/** What one worker counted, by name in its configuration. */
export interface WorkerStatistics {
  readonly frontends: ReadonlyMap<string, FrontendCounts>;
  /** By `backend/server`. */
  readonly servers: ReadonlyMap<string, ServerCounts>;
  /** By the name of a server, which is a target's in all its backends. */
  readonly latencies: ReadonlyMap<string, Latency>;
}

export interface FrontendCounts {
  readonly active: number;
  readonly connections: number;
  readonly requests: number;
  readonly codes: Codes;
}

export interface ServerCounts {
  readonly inFlight: number;
  readonly counts: Counts;
}

/** Reads the answer to `show stat`: a table with a line of names. */
export function parseStatistics(text: string): Omit<WorkerStatistics, 'latencies'> {
  const [head = '', ...lines] = text.split('\n');
  const columns = new Map(
    head
      .replace(/^# /, '')
      .split(',')
      .map((name, i) => [name, i]),
  );
  const frontends = new Map<string, FrontendCounts>();
  const servers = new Map<string, ServerCounts>();
  for (const line of lines) {
    const fields = line.split(',');
    const text = (name: string): string => fields[columns.get(name) ?? -1] ?? '';
    const number = (name: string): number => Number(text(name)) || 0;
    const codes: Codes = [number('hrsp_2xx'), number('hrsp_3xx'), number('hrsp_4xx'), number('hrsp_5xx')];
    if (text('svname') === 'FRONTEND') {
      frontends.set(text('pxname'), {
        active: number('scur'),
        connections: number('conn_tot'),
        requests: number('req_tot'),
        codes,
      });
    } else if (text('svname') !== 'BACKEND' && text('svname') !== '') {
      servers.set(`${text('pxname')}/${text('svname')}`, {
        inFlight: number('scur') + number('qcur'),
        counts: {
          requests: number('stot'),
          codes,
          connectionErrors: number('econ') + number('eresp'),
          bytesIn: number('bin'),
          bytesOut: number('bout'),
          latency: noLatency,
        },
      });
    }
  }
  return { frontends, servers };
}

/** Where latencies are counted, in each worker. Its entries have the names of servers. */
export const latencyTable = 'latencies';
/** Counters of an entry: one for each class, and the sum in units of 10 microseconds, which begins anew after 2^32 of them. */
const classes = latencyBounds.length + 1;
const unit = 1e-5;
const turn = 2 ** 32;

/** The table. Entries go with their servers. */
export const latencyStore = `stick-table type string len 24 size 100k store gpc(${classes}),gpt(1)`;

/** The rule of a frontend that notes when a request went to its target. */
export const latencyBegin = 'http-request set-var(txn.sent) date(0,us)';

/** The ACL of answers of targets, in rules for what goes to clients. */
export const isOfTarget = '{ var(txn.took) -m found }';

/**
 * The rules of a frontend that count an answer of a target; nothing may stand behind them. Each counter is of answers above the bound before
 * it, and the rules end with the first bound that an answer is not above: quick answers, which most are, meet few of them.
 */
export const latencyLines: readonly string[] = [
  'http-response set-var(txn.took) date(0,us),sub(txn.sent),div(10)',
  `http-response track-sc0 srv_name table ${latencyTable}`,
  `http-response sc-set-gpt(0,0) sc_get_gpt(0,0),add(txn.took),and(${turn - 1})`,
  ...latencyBounds.flatMap((bound, i) => [
    `http-response sc-inc-gpc(${i},0)`,
    `http-response allow if { var(txn.took) -m int le ${Math.round(bound / unit)} }`,
  ]),
  `http-response sc-inc-gpc(${latencyBounds.length},0)`,
];

/** Reads the answer to `show table`; `before` is what the same worker said last, since sums turn over. */
export function parseLatencies(text: string, before: ReadonlyMap<string, Latency>): ReadonlyMap<string, Latency> {
  const latencies = new Map<string, Latency>();
  for (const line of text.split('\n')) {
    const name = / key=(\S+) /.exec(line)?.[1];
    if (name === undefined) continue;
    const counters = new Map([...line.matchAll(/ (gp[ct]\d+)=(\d+)/g)].map(([, counter, value]) => [counter, value]));
    const above = (i: number): number => Number(counters.get(`gpc${i}`) ?? 0);
    const last = before.get(name);
    const known = Math.round((last?.seconds ?? 0) / unit);
    const raw = Number(counters.get('gpt0') ?? 0);
    // What came since the last look is less than a turn.
    const since = (((raw - known) % turn) + turn) % turn;
    latencies.set(name, {
      // An answer that is counted at this moment may be in a lower class than it will be: no class takes back what it had.
      classes: Array.from({ length: classes }, (_, i) =>
        Math.max(above(i) - (i + 1 < classes ? above(i + 1) : 0), last?.classes[i] ?? 0),
      ),
      seconds: (known + since) * unit,
    });
  }
  return latencies;
}

/** Adds what several workers counted. */
export function addStatistics(all: readonly WorkerStatistics[]): WorkerStatistics {
  const frontends = new Map<string, FrontendCounts>();
  const servers = new Map<string, ServerCounts>();
  const latencies = new Map<string, Latency>();
  for (const one of all) {
    for (const [name, latency] of one.latencies)
      latencies.set(name, addLatency(latencies.get(name) ?? noLatency, latency));
    for (const [name, counts] of one.frontends) {
      const before = frontends.get(name) ?? { active: 0, connections: 0, requests: 0, codes: noCodes };
      frontends.set(name, {
        active: before.active + counts.active,
        connections: before.connections + counts.connections,
        requests: before.requests + counts.requests,
        codes: addCodes(before.codes, counts.codes),
      });
    }
    for (const [name, { inFlight, counts }] of one.servers) {
      const before = servers.get(name) ?? { inFlight: 0, counts: noCounts };
      servers.set(name, { inFlight: before.inFlight + inFlight, counts: addCounts(before.counts, counts) });
    }
  }
  return { frontends, servers, latencies };
}

/** What a worker that has gone leaves to the sums: nothing is in flight any more. */
export function finished({ frontends, servers, latencies }: WorkerStatistics): WorkerStatistics {
  return {
    frontends: new Map([...frontends].map(([name, counts]) => [name, { ...counts, active: 0 }])),
    servers: new Map([...servers].map(([name, { counts }]) => [name, { inFlight: 0, counts }])),
    latencies,
  };
}
