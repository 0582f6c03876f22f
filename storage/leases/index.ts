export type { HeldLease, LeaseOptions, Leases } from './lease.ts';
export { openLeases } from './open-leases.ts';
