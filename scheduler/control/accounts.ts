import type { RecordStore } from '@slipway/storage/records';

/** Accounts that have ECS records of any kind. */
export async function listAccounts(records: RecordStore): Promise<readonly string[]> {
  const accounts = new Set<string>();
  for (let after: string | undefined; ;) {
    const page = await records.partitions({ prefix: 'ecs/', ...(after === undefined ? {} : { after }) });
    for (const name of page.names) {
      const account = /^ecs\/(\d{12})(?:\/|$)/.exec(name)?.[1];
      if (account !== undefined) accounts.add(account);
    }
    after = page.names.at(-1);
    if (!page.more || after === undefined) return [...accounts];
  }
}
