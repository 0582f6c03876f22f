import type { Accounts } from '../accounts.ts';
import { aliasPartition, keys } from '../keys.ts';

/** What an alias's row holds; aliases are one space for all accounts. The account's own record has the last word: a row that it does not know is left over from a failure. */
export interface AliasRow {
  readonly account: string;
}

/** The account that 12 digits or an alias stand for; undefined when nobody has the alias. @throws StoreUnavailable */
export async function accountOfAlias(accounts: Accounts, text: string): Promise<string | undefined> {
  if (/^\d{12}$/.test(text)) return text;
  if (text === '' || text.length > 63) return undefined;
  const row = await accounts.ports.records.get<AliasRow>(aliasPartition, keys.aliasOf(text));
  const mirror = row === undefined ? undefined : await accounts.mirror(row.value.account);
  return mirror?.get(keys.alias)?.alias === text ? row?.value.account : undefined;
}
