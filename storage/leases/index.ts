export { lead, type LeadOptions } from './lead.ts';
export { leadEach, type LeadEachOptions } from './lead-each.ts';
export type { HeldLease, LeaseOptions, Leases } from './lease.ts';
export { openLeases } from './open-leases.ts';
