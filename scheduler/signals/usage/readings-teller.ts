import type { Log } from '@slipway/auth/contract';
import { type Clock, waitAtMost } from '@slipway/storage/clock';

import type { UsageCollector } from './collector.ts';
import type { UsageLedger } from './ledger.ts';
import { looksKept } from './minute.ts';
import { added, type Looks, type Readings, type ServiceReadings } from './readings.ts';
import { cpuUtilization, memoryUtilization } from './samples.ts';

/** Milliseconds between looks at what agents have said. */
const interval = 2_000;

/** Milliseconds after which the same is told again: it is still so. */
const again = 8_000;

/**
 * What counts as the same: sums that differ by so small a part, or by so few per cent of a task. Nothing scales by that, and tasks that use
 * no more than a moment ago never use exactly as much: their row would be written with every look at one of them.
 */
const sameWithin = { part: 0.02, percent: 0.5 };

export interface ReadingsTellerOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly collector: Pick<UsageCollector, 'ledger' | 'self'>;
  readonly readings: Pick<Readings, 'wanted' | 'put'>;
}

/** Tells what agents that are connected to this process have said of scaled services, as it comes in. */
export class ReadingsTeller {
  readonly #options: ReadingsTellerOptions;
  /** By cluster: what was said, and in how many rows. */
  readonly #told = new Map<string, { readonly known: Known; readonly rows: number; readonly at: number }>();

  constructor(options: ReadingsTellerOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      await waitAtMost(interval, () => {}, clock, signal);
      if (signal.aborted) return;
      await this.tell().catch((err: unknown) => log.warn({ err }, 'cannot tell what tasks use now; trying again'));
    }
  }

  /** Tells what is new of services that somebody wants to know of. */
  async tell(): Promise<void> {
    const { collector, readings, clock } = this.#options;
    const now = clock.monotonic();
    const clusters = Map.groupBy(collector.ledger.recent(), ({ instance: { account, cluster } }) =>
      [account, cluster].join('/'),
    );
    for (const key of new Set([...clusters.keys(), ...this.#told.keys()])) {
      const [account = '', cluster = ''] = key.split('/');
      const wanted = await readings.wanted(account, cluster);
      const before = this.#told.get(key);
      if (wanted === undefined && before === undefined) continue;
      const of = (clusters.get(key) ?? []).filter(({ task }) => wanted?.has(task.service ?? '') === true);
      const known = readingsOf(of);
      if (known.size === 0 && before === undefined) continue;
      if (before !== undefined && now - before.at < again && isMuchTheSame(known, before.known)) continue;
      const rows = await readings.put(account, cluster, collector.self, known, before?.rows ?? 0);
      if (rows === 0) this.#told.delete(key);
      else this.#told.set(key, { known, rows, at: now });
    }
  }
}

type Known = ReadonlyMap<string, ServiceReadings>;

/** Whether nobody would scale by the one otherwise than by the other. Pure. */
function isMuchTheSame(one: Known, other: Known): boolean {
  const areLooks = (now: Looks, before: Looks): boolean =>
    now.tasks === before.tasks &&
    now.sums.length === before.sums.length &&
    now.sums.every((sum, index) => {
      const told = before.sums[index] ?? 0;
      return Math.abs(sum - told) <= Math.max(sameWithin.part * told, sameWithin.percent * now.tasks);
    });
  return (
    one.size === other.size &&
    [...one].every(([service, { cpu, memory }]) => {
      const before = other.get(service);
      return before !== undefined && areLooks(cpu, before.cpu) && areLooks(memory, before.memory);
    })
  );
}

const none: Looks = { sums: [], tasks: 0 };

/** By service, what the looks at its tasks come to. Pure. */
export function readingsOf(looked: ReturnType<UsageLedger['recent']>): Known {
  const known = new Map<string, ServiceReadings>();
  for (const { task, last } of looked) {
    const looks = (all: readonly number[], percent: (value: number) => number | []): Looks => {
      const sums = all.flatMap(percent).map((value) => Math.round(value * 100) / 100);
      return sums.length < looksKept ? none : { sums, tasks: 1 };
    };
    const one = {
      cpu: looks(last.cpu, (cpu) => cpuUtilization({ task, cpu })),
      memory: looks(last.memory, (memory) => memoryUtilization({ task, memory })),
    };
    const other = known.get(task.service ?? '') ?? { cpu: none, memory: none };
    known.set(task.service ?? '', { cpu: added(one.cpu, other.cpu), memory: added(one.memory, other.memory) });
  }
  return known;
}
