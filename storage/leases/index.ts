export { lead, type LeadOptions } from './lead.ts';
export type { HeldLease, LeaseOptions, Leases } from './lease.ts';
export { openLeases } from './open-leases.ts';
