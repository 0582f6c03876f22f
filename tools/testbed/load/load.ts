import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '@slipway/scheduler/placement';
import { until } from '../command.ts';
import { type Aim, type ClientKind, clients, type Run } from './clients.ts';
import { type FailedRequest, Failure, type Report } from './report.ts';
import type { Witness } from './witness.ts';

export interface LoadOptions extends Partial<Omit<Aim, 'address' | 'port' | 'services'>> {
  readonly address: string;
  readonly port: number;
  /** Services whose targets may answer; what they are started with. */
  readonly services: readonly string[];
  /** How many of each kind. Default: a few of all that fit the listener. */
  readonly mix?: Partial<Record<ClientKind, number>>;
  /** Whom the targets tell; without one nobody notices what is executed twice. */
  readonly witness?: Witness;
  /** Milliseconds that targets have, after the load has stopped, to tell the witness of everything they answered. Default 30,000. */
  readonly witnessPatience?: number;
  /** How many times as long as usual clients rest between requests: for loads that share a machine. Default 1. */
  readonly ease?: number;
  /** Of pauses and choices; printed with the report. */
  readonly seed?: number;
}

/** Load that runs until it is stopped. It never sends anything again, and looks at every byte that comes back. */
export interface Load {
  /** Requests that have ended so far. */
  readonly total: number;
  /** Lets what is in flight come to its end, then says how everything went. */
  stop(): Promise<Report>;
}

const plainMix: Partial<Record<ClientKind, number>> = {
  busy: 2,
  posting: 2,
  thinking: 2,
  idling: 4,
  fresh: 2,
  slow: 2,
  big: 1,
  chunked: 1,
  events: 2,
  webSocket: 2,
  leaving: 1,
};

/** Begins to ask at once. */
export function startLoad(options: LoadOptions): Load {
  const { seed = randomInt(2 ** 31), witness, isSecure = false, ease = 1 } = options;
  const aim: Aim = {
    address: options.address,
    port: options.port,
    host: options.host ?? 'load.example.com',
    isSecure,
    services: options.services,
    bigBytes: options.bigBytes ?? 2 << 20,
  };
  const random = seededRandom(seed);
  const began = performance.now();
  const stopping = new AbortController();
  const counts: Record<string, number> = {};
  const failures: FailedRequest[] = [];
  const took: number[] = [];
  /** Every request that was sent: whether it may be executed twice, and whether it was answered. */
  const sent = new Map<string, { readonly client: string; readonly safe: boolean; answered: boolean }>();
  let total = 0;
  const prefix = `${seed.toString(36)}-${Math.trunc(began).toString(36)}`;

  const fail = (client: string, id: string, failure: Failure): void => {
    failures.push({
      kind: failure.kind,
      client,
      id,
      detail: failure.message,
      at: Math.round(performance.now() - began),
    });
  };

  async function runClient(kind: ClientKind, name: string): Promise<void> {
    let number = 0;
    const pause: Run['pause'] = (milliseconds) =>
      sleep(milliseconds, undefined, { signal: stopping.signal }).catch(() => undefined);
    const run: Run = {
      aim,
      stopped: () => stopping.signal.aborted,
      pause,
      rest: (milliseconds) => pause(milliseconds * ease),
      between: (least, most) => least + random() * (most - least),
      async attempt(work, { safe = true, asked = 0 } = {}) {
        const id = `${prefix}-${name}-${number++}`;
        const one = { client: name, safe, answered: false };
        sent.set(id, one);
        const start = performance.now();
        try {
          await work(id);
          one.answered = kind !== 'leaving';
          took.push(performance.now() - start - asked);
          return true;
        } catch (error) {
          if (!(error instanceof Failure)) throw error;
          fail(name, id, error);
          return false;
        } finally {
          counts[kind] = (counts[kind] ?? 0) + 1;
          total++;
        }
      },
    };
    await clients[kind](run);
  }

  const mix = options.mix ?? (isSecure ? { http2: 4 } : plainMix);
  const running = Promise.all(
    Object.entries(mix).flatMap(([kind, count]) =>
      Array.from({ length: count }, (_, i) => runClient(kind as ClientKind, `${kind}${i}`)),
    ),
  );
  // Whoever stops the load gets what a client threw; until then nobody waits.
  running.catch(() => undefined);

  /** What targets have told: who executed what, and how often. */
  async function compare({ executions }: Witness): Promise<number> {
    const answered = [...sent].flatMap(([id, one]) => (one.answered ? [id] : []));
    await until('targets to tell what they have answered', options.witnessPatience ?? 180_000, async () =>
      answered.every((id) => executions.has(id)),
    ).catch(() => undefined);
    let repeated = 0;
    for (const [id, { client, safe, answered }] of sent) {
      const seen = executions.get(id);
      if (seen === undefined) {
        if (answered) fail(client, id, new Failure('unseen', 'no target told of it'));
        continue;
      }
      const others = [...seen.services].filter((service) => !aim.services.includes(service));
      if (others.length > 0) fail(client, id, new Failure('wrong-service', `executed by ${others.join(', ')}`));
      if (seen.count < 2) continue;
      if (safe) repeated++;
      else fail(client, id, new Failure('executed-twice', `${seen.count} times`));
    }
    return repeated;
  }

  return {
    get total() {
      return total;
    },
    async stop() {
      stopping.abort();
      await running;
      const repeated = witness === undefined ? 0 : await compare(witness);
      const sorted = took.toSorted((x, y) => x - y);
      const at = (share: number): number => Math.round(sorted[Math.floor(sorted.length * share)] ?? 0);
      return {
        seed,
        requests: counts,
        total,
        failures,
        repeated,
        latency: { p50: at(0.5), p99: at(0.99), most: Math.round(sorted.at(-1) ?? 0) },
      };
    },
  };
}
