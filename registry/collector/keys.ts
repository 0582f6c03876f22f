import { definePartition, type OwnedRows } from '@slipway/storage/records';

/** Bytes that the audit saw and no record knows; a partition of its own, because such bytes belong to no account. */
export const audits = definePartition('registry-audit', 'what the audit of stray bytes has seen');

export const auditKeys = {
  unknown: (digest: string, generation: string): string => `unknown|${digest}|${generation}`,
} as const;

export const auditRows: OwnedRows = { partition: audits, owner: 'registry/collector', keys: ['unknown|'] };
