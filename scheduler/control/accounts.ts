import { type RecordStore, scanPartitions } from '@slipway/storage/records';

/** Accounts that have ECS records of any kind. */
export async function listAccounts(records: RecordStore): Promise<readonly string[]> {
  const accounts = new Set<string>();
  for await (const name of scanPartitions(records, 'ecs/')) {
    const account = /^ecs\/(\d{12})(?:\/|$)/.exec(name)?.[1];
    if (account !== undefined) accounts.add(account);
  }
  return [...accounts];
}
