import type { Clock } from '../clock/index.ts';
import { StaleEpoch } from '../records/index.ts';
import type { HeldLease, Leases } from './lease.ts';

export interface LeadOptions {
  /** What is led: the lease `name` of this partition. */
  readonly partition: string;
  readonly name: string;
  /** As `Leases.acquire` takes it. */
  readonly ttl?: number;
  readonly clock: Clock;
  /** Ends it all. */
  readonly signal: AbortSignal;
  /** The lease could not be had, or the work failed; it begins anew after a pause. For the log. */
  readonly interrupted: (error: unknown) => void;
  /** Milliseconds of that pause. */
  readonly retryAfter: number;
  /** The pause doubles with each failure up to this many; work that went on for twice the pause starts it anew. Default: it stays. */
  readonly retryAtMost?: number;
}

/**
 * Does work on one server of the installation at a time: waits for the lease, works, gives the lease up, and does so again until the
 * signal aborts. It never rejects.
 * @param work gets the lease, for fences, and a signal that aborts when the lease is lost or it all ends; what it throws because of
 * that, or of a stale epoch, is no failure
 */
export async function lead(
  leases: Leases,
  options: LeadOptions,
  work: (lease: HeldLease, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { clock, signal, retryAfter, retryAtMost = retryAfter } = options;
  for (let pause = retryAfter; !signal.aborted;) {
    const begun = clock.monotonic();
    try {
      await leadOnce(leases, options, work);
    } catch (error) {
      if (signal.aborted) return;
      options.interrupted(error);
      if (clock.monotonic() - begun > 2 * pause) pause = retryAfter;
      await clock.sleep(pause, signal).catch(() => undefined);
      pause = Math.min(2 * pause, retryAtMost);
    }
  }
}

async function leadOnce(
  leases: Leases,
  { partition, name, ttl, signal }: LeadOptions,
  work: (lease: HeldLease, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const lease = await leases.acquire(partition, name, { signal, ttl });
  try {
    await work(lease, AbortSignal.any([signal, lease.lost]));
  } catch (error) {
    if (!(error instanceof StaleEpoch) && error !== lease.lost.reason) throw error;
  } finally {
    // One that cannot be given up runs out.
    if (!lease.lost.aborted) await lease.release().catch(() => undefined);
  }
}
