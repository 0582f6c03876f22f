import { ConditionFailed } from '@slipway/storage/records';
import { asJson } from '../entities.ts';
import { aliasPartition, keys } from '../keys.ts';
import { alreadyExists, noSuchEntity } from '../errors.ts';
import type { AliasRow } from '../passwords/index.ts';
import { needAccount } from './access.ts';
import type { Iam, IamOperations } from './iam.ts';

/** The account's alias: at most one, and no two accounts have the same. */
export function accountAliasOperations(iam: Iam): IamOperations {
  const { records } = iam.accounts.ports;

  /** Takes an alias for an account; one that it has is its own already. @throws AwsError `EntityAlreadyExistsException` */
  async function claim(account: string, alias: string): Promise<void> {
    const row: AliasRow = { account };
    try {
      await records.commit(aliasPartition, {
        require: [{ key: keys.aliasOf(alias), exists: false }],
        put: [{ key: keys.aliasOf(alias), value: { ...row } }],
      });
    } catch (error) {
      if (!(error instanceof ConditionFailed)) throw error;
      const holder = await records.get<AliasRow>(aliasPartition, keys.aliasOf(alias));
      if (holder?.value.account !== account) throw alreadyExists(`The account alias ${alias} already exists.`);
    }
  }

  return {
    CreateAccountAlias: {
      access: () => needAccount('CreateAccountAlias'),
      async handle(input, call) {
        const alias = input.AccountAlias ?? '';
        await claim(call.account, alias);
        const before = await iam.transact(call.account, async (tx) => {
          const old = await tx.get(keys.alias);
          tx.put(keys.alias, asJson({ kind: 'alias', alias }));
          return (old as { alias?: string } | undefined)?.alias;
        });
        if (before !== undefined && before !== alias)
          await records.commit(aliasPartition, { remove: [keys.aliasOf(before)] });
        return {};
      },
    },
    DeleteAccountAlias: {
      access: () => needAccount('DeleteAccountAlias'),
      async handle(input, call) {
        const alias = input.AccountAlias ?? '';
        await iam.transact(call.account, async (tx) => {
          const held = await tx.get(keys.alias);
          if ((held as { alias?: string } | undefined)?.alias !== alias)
            throw noSuchEntity(`The account alias ${alias} does not exist.`);
          tx.remove(keys.alias);
        });
        await records.commit(aliasPartition, { remove: [keys.aliasOf(alias)] });
        return {};
      },
    },
    ListAccountAliases: {
      access: () => needAccount('ListAccountAliases'),
      async handle(_input, call) {
        const held = await iam.find(call.account, keys.alias);
        return { AccountAliases: held === undefined ? [] : [held.alias], IsTruncated: false };
      },
    },
  };
}
