export type { HeldLease, LeaseOptions, Leases } from './lease.ts';
