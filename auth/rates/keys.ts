import { definePartition, type OwnedRows } from '@slipway/storage/records';

const usage = definePartition('rates', 'what servers say of the requests they answered');
export const usagePartition = usage.name();

export const usageKeys = {
  all: 'used/',
  of: (server: string): string => `used/${server}`,
} as const;

export const usageRows: OwnedRows = { partition: usage, owner: 'auth/rates', keys: [usageKeys.all] };
