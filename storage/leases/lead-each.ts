import { type RecordStore, scanPartitions } from '../records/index.ts';
import { lead, type LeadOptions } from './lead.ts';
import type { HeldLease, Leases } from './lease.ts';

export interface LeadEachOptions extends Omit<LeadOptions, 'partition' | 'interrupted'> {
  readonly records: Pick<RecordStore, 'partitions'>;
  /** What is led: the lease `name` of every partition that begins with this, each by itself. */
  readonly prefix: string;
  /** Milliseconds between looks for more partitions. */
  readonly searchPace: number;
  /** The store does not say which partitions there are; it is asked again. For the log. */
  readonly waiting: (error: unknown) => void;
  /** As of `LeadOptions`. @param rest what follows the prefix in the name of the partition */
  readonly interrupted: (error: unknown, rest: string) => void;
}

/**
 * Does work for every partition of a kind, the partition of each account for instance, for each on one server at a time; those that
 * come later are found as well. It works until the signal aborts and never rejects.
 * @param work as `lead` has it. @param rest what follows the prefix in the name of the partition
 */
export async function leadEach(
  leases: Leases,
  { records, prefix, searchPace, waiting, ...options }: LeadEachOptions,
  work: (lease: HeldLease, signal: AbortSignal, rest: string) => Promise<void>,
): Promise<void> {
  const { clock, signal, interrupted } = options;
  const led = new Map<string, Promise<void>>();
  const begin = (partition: string): Promise<void> => {
    const rest = partition.slice(prefix.length);
    return lead(leases, { ...options, partition, interrupted: (error) => interrupted(error, rest) }, (lease, until) =>
      work(lease, until, rest),
    );
  };
  while (!signal.aborted) {
    try {
      for await (const partition of scanPartitions(records, prefix))
        if (!led.has(partition)) led.set(partition, begin(partition));
    } catch (error) {
      if (!signal.aborted) waiting(error);
    }
    await clock.sleep(searchPace, signal).catch(() => undefined);
  }
  await Promise.all(led.values());
}
