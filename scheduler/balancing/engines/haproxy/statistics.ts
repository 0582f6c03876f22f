import type { Codes, Counts } from '../contract.ts';

/** What one worker counted, by name in its configuration. */
export interface WorkerStatistics {
  readonly frontends: ReadonlyMap<string, FrontendCounts>;
  /** By `backend/server`. */
  readonly servers: ReadonlyMap<string, ServerCounts>;
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
export function parseStatistics(text: string): WorkerStatistics {
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
          connectionErrors: number('econ'),
          bytesIn: number('bin'),
          bytesOut: number('bout'),
        },
      });
    }
  }
  return { frontends, servers };
}

export const noCodes: Codes = [0, 0, 0, 0];
export const noCounts: Counts = { requests: 0, codes: noCodes, connectionErrors: 0, bytesIn: 0, bytesOut: 0 };

export function addCodes(a: Codes, b: Codes): Codes {
  return [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]];
}

export function addCounts(a: Counts, b: Counts): Counts {
  return {
    requests: a.requests + b.requests,
    codes: addCodes(a.codes, b.codes),
    connectionErrors: a.connectionErrors + b.connectionErrors,
    bytesIn: a.bytesIn + b.bytesIn,
    bytesOut: a.bytesOut + b.bytesOut,
  };
}

/** Adds what several workers counted. */
export function addStatistics(all: readonly WorkerStatistics[]): WorkerStatistics {
  const frontends = new Map<string, FrontendCounts>();
  const servers = new Map<string, ServerCounts>();
  for (const one of all) {
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
  return { frontends, servers };
}

/** What a worker that has gone leaves to the sums: nothing is in flight any more. */
export function finished({ frontends, servers }: WorkerStatistics): WorkerStatistics {
  return {
    frontends: new Map([...frontends].map(([name, counts]) => [name, { ...counts, active: 0 }])),
    servers: new Map([...servers].map(([name, { counts }]) => [name, { inFlight: 0, counts }])),
  };
}
