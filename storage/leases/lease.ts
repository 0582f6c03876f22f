import type { Fence } from '../records/index.ts';

/** Leadership of one name in one partition, with an epoch that every commit of the leader carries (`Batch.fence`). */
export interface HeldLease extends Fence {
  readonly partition: string;
  /** Aborts when the lease is lost or released: stop acting at once. */
  readonly lost: AbortSignal;
  /** Gives the lease up, so that another holder need not wait for the time-out. */
  release(): Promise<void>;
}

export interface LeaseOptions {
  /** Milliseconds without renewal after which others may take it; the holder renews every third and stops acting earlier. Default 5,000. */
  readonly ttl?: number | undefined;
  /** Gives up waiting. */
  readonly signal: AbortSignal;
}

export interface Leases {
  /** Waits until the lease is ours, then keeps renewing it until it is released or lost. */
  acquire(partition: string, name: string, options: LeaseOptions): Promise<HeldLease>;
  /** Reports an epoch that some agent has seen: the next epoch handed out is above it, whatever the store lost. */
  observe(partition: string, name: string, epoch: number): Promise<void>;
}
