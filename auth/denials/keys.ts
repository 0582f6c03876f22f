import { definePartition, type OwnedRows } from '@slipway/storage/records';

const denials = definePartition('denials', 'refusals of the last hour, of all accounts');
export const denialPartition = denials.name();

export const keys = {
  /** Whoever asks finds those of its own account alone. */
  denial: (account: string, requestId: string): string => `denial/${account}/${requestId}`,
  all: 'denial/',
} as const;

export const denialRows: OwnedRows = { partition: denials, owner: 'auth/denials', keys: [keys.all] };
