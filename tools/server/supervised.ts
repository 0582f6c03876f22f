import { Registry } from '@prometheus-io/client';
import {
  type Lease,
  LeasedRates,
  type LimitName,
  type Rates,
  type RateTable,
  type UsageSource,
} from '@slipway/auth/rates';
import { systemClock } from '@slipway/storage/clock';
import { answerWithin, type FromProcess, type FromSupervisor, type Listens, type ProcessRole } from './process-role.ts';

/** What a process of several shares with the others, by way of the supervisor that started it. */

const tell = (message: FromProcess): void => void process.send?.(message);

/**
 * As a kill would. An exit waits for every thread, and one of them may wait for the disk or for the lock of the records: as long as this
 * process holds the port, the server that is started in its place finds it taken.
 */
function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL');
}

/** Says that this process listens, lets the supervisor read its metrics, and ends with the supervisor, however that ends. */
export function joinSupervisor(metrics: SharedMetrics, listens: Listens): void {
  process.on('disconnect', endAtOnce);
  if (!process.connected) endAtOnce();
  process.on('message', (message: FromSupervisor) => {
    if (message.type !== 'metrics?') return;
    void metrics
      .own()
      .then((json) => tell({ type: 'metrics', id: message.id, json }))
      // Whoever asked goes on without them after a while.
      .catch(() => undefined);
  });
  tell({ type: 'listening', ...listens });
}

/** Questions to the supervisor, by what answers them; an answer that does not come in time is an error. */
class Questions<Answer extends FromSupervisor> {
  readonly #open = new Map<number, (answer: Answer) => void>();
  #ids = 0;

  constructor(type: Answer['type']) {
    process.on('message', (message: FromSupervisor) => {
      if (message.type !== type) return;
      const answer = message as Answer & { readonly id: number };
      this.#open.get(answer.id)?.(answer);
      this.#open.delete(answer.id);
    });
  }

  ask(question: (id: number) => FromProcess, patience: number): Promise<Answer> {
    const id = ++this.#ids;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#open.delete(id);
        reject(new Error('the supervisor of this server does not answer'));
      }, patience).unref();
      this.#open.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      tell(question(id));
    });
  }
}

type Answered<Type extends FromSupervisor['type']> = Extract<FromSupervisor, { readonly type: Type }>;

/** Rates whose buckets the supervisor has, so that all processes count together, and what other servers have to know of them. */
export function sharedRates(table: RateTable): { readonly rates: Rates; readonly usage: UsageSource } {
  // Before any question about them.
  tell({ type: 'rates', table });
  const leases = new Questions<Answered<'lease'>>('lease');
  const totals = new Questions<Answered<'used'>>('used');
  const source = {
    lease: (limit: LimitName, key: string, most: number): Promise<Lease> =>
      leases.ask((id) => ({ type: 'lease?', id, limit, key, most }), answerWithin),
    giveBack: (limit: LimitName, key: string, count: number): void => tell({ type: 'unused', limit, key, count }),
  };
  return {
    rates: new LeasedRates(source, table, systemClock),
    usage: {
      used: async () => (await totals.ask((id) => ({ type: 'used?', id }), answerWithin)).used.values(),
      usedElsewhere: (limit, key, count) => tell({ type: 'used-elsewhere', limit, key, count }),
    },
  };
}

/** A registry of metrics whose text is that of all processes together, whichever of them is asked. */
export class SharedMetrics extends Registry {
  readonly #all: Questions<Answered<'all-metrics'>> | undefined;

  /** @param role undefined: this process is the only one */
  constructor(role: ProcessRole | undefined) {
    super();
    this.#all = role === undefined ? undefined : new Questions('all-metrics');
  }

  own(): Promise<object[]> {
    return this.getMetricsAsJSON() as Promise<object[]>;
  }

  override async metrics(): Promise<string> {
    if (this.#all === undefined) return super.metrics();
    // The supervisor waits for each of the others as well.
    return (await this.#all.ask((id) => ({ type: 'all-metrics?', id }), answerWithin * 2)).text;
  }
}
