import { definePartition, type OwnedRows, type RecordStore, scanAll } from '@slipway/storage/records';

import { sameRecord, toJson } from '../../state/index.ts';

/** What changes every few seconds lies apart from what clusters are, whose followers it would wake. */
const readings = definePartition('readings/<account>', 'what the tasks of scaled services of one account use now');

const readingKeys = {
  wanted: (cluster: string): string => `wanted/${cluster}`,
  wantedAll: 'wanted/',
  /** What one process says of a cluster. */
  part: (cluster: string, process: string, part: number): string => `reading/${cluster}/${process}/${part}`,
  of: (cluster: string): string => `reading/${cluster}/`,
  all: 'reading/',
} as const;

export const readingRows: OwnedRows = {
  partition: readings,
  owner: 'scheduler/signals/usage',
  keys: [readingKeys.wantedAll, readingKeys.all],
};

/** Sums of the last looks at tasks that have been looked at so often, in per cent of what they reserve; the newest first. */
export interface Looks {
  readonly sums: readonly number[];
  readonly tasks: number;
}

export interface ServiceReadings {
  readonly cpu: Looks;
  readonly memory: Looks;
}

interface PartRecord {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly services: Readonly<Record<string, ServiceReadings>>;
}

/** Services in one row. */
const together = 200;
/** Milliseconds that what a process says counts as new: one that has ended or hangs says nothing more. */
const newFor = 15_000;
/** Milliseconds after which what a process has said is taken away. */
const keptFor = 600_000;

type Ports = { readonly records: RecordStore; readonly clock: { now(): number } };

/**
 * What the tasks of services use now, handed by whoever agents are connected to, to whoever scales the services. Bounded: of services alone that
 * somebody wants to know of, a few numbers each, which later ones replace; nothing of it has to survive a power failure.
 */
export class Readings {
  readonly #ports: Ports;

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /** Services of a cluster that somebody wants to know of; undefined: none. */
  async wanted(account: string, cluster: string): Promise<ReadonlySet<string> | undefined> {
    const row = await this.#ports.records.get<{ readonly services: readonly string[] }>(
      readings.name(account),
      readingKeys.wanted(cluster),
    );
    return row === undefined ? undefined : new Set(row.value.services);
  }

  /** From now on these services of a cluster are told of, and no others. */
  async want(account: string, cluster: string, services: ReadonlySet<string>): Promise<void> {
    const partition = readings.name(account);
    const key = readingKeys.wanted(cluster);
    const value = { services: [...services].toSorted() };
    const row = await this.#ports.records.get<typeof value>(partition, key);
    if (sameRecord(row?.value ?? { services: [] }, value)) return;
    await this.#ports.records.commit(
      partition,
      services.size === 0 ? { remove: [key], lazy: true } : { put: [{ key, value: toJson(value) }], lazy: true },
    );
  }

  /** What one process knows of a cluster's services, in place of what it said before. @param before rows that it had then @returns rows */
  async put(
    account: string,
    cluster: string,
    process: string,
    known: ReadonlyMap<string, ServiceReadings>,
    before: number,
  ): Promise<number> {
    const at = this.#ports.clock.now();
    const all = [...known];
    const parts = Math.ceil(all.length / together);
    await this.#ports.records.commit(readings.name(account), {
      put: Array.from({ length: parts }, (_, part) => ({
        key: readingKeys.part(cluster, process, part),
        value: toJson({
          at,
          services: Object.fromEntries(all.slice(part * together, (part + 1) * together)),
        } satisfies PartRecord),
      })),
      remove: Array.from({ length: Math.max(0, before - parts) }, (_, part) =>
        readingKeys.part(cluster, process, parts + part),
      ),
      lazy: true,
    });
    return parts;
  }

  /** What all processes say of a cluster's services now, added up. */
  async read(account: string, cluster: string): Promise<ReadonlyMap<string, ServiceReadings>> {
    const now = this.#ports.clock.now();
    const sums = new Map<string, ServiceReadings>();
    for (const { value } of await this.#parts(account, cluster)) {
      if (Math.abs(now - value.at) > newFor) continue;
      for (const [service, one] of Object.entries(value.services)) {
        const other = sums.get(service);
        sums.set(
          service,
          other === undefined ? one : { cpu: added(one.cpu, other.cpu), memory: added(one.memory, other.memory) },
        );
      }
    }
    return sums;
  }

  /** Takes away what processes have said that are gone. */
  async forget(account: string, cluster: string): Promise<void> {
    const before = this.#ports.clock.now() - keptFor;
    const old = (await this.#parts(account, cluster)).flatMap(({ key, value }) => (value.at < before ? [key] : []));
    if (old.length > 0) await this.#ports.records.commit(readings.name(account), { remove: old, lazy: true });
  }

  #parts(account: string, cluster: string): Promise<{ readonly key: string; readonly value: PartRecord }[]> {
    return scanAll<PartRecord>(this.#ports.records, readings.name(account), { prefix: readingKeys.of(cluster) });
  }
}

/** One that knows of no task has nothing to add, and takes nothing away. */
export function added(one: Looks, other: Looks): Looks {
  if (one.tasks === 0 || other.tasks === 0) return one.tasks === 0 ? other : one;
  const length = Math.min(one.sums.length, other.sums.length);
  return {
    sums: Array.from({ length }, (_, i) => (one.sums[i] ?? 0) + (other.sums[i] ?? 0)),
    tasks: one.tasks + other.tasks,
  };
}
