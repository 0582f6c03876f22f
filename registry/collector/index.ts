export { auditRows } from './keys.ts';
export { auditBlobs, type AuditReport, type BlobsOfOthers } from './audit.ts';
export { collect, type CollectOptions, type CollectReport } from './collect.ts';
export { type Interlock, interlockOf, RecordsWentBack } from './interlock.ts';
export { type Journal, readJournal } from './journal.ts';
export { lookAtLinks, prune, type Pruned, sweepBegin, sweepEnd } from './steps.ts';
