import { type Json, type RecordStore, scanAll, transact } from '@slipway/storage/records';

import { logKeys, logsPartition } from '../store/keys.ts';

import type { QueryDefinition } from './records.ts';

/** Saved queries of an account (CloudWatch Logs quotas). */
export const mostDefinitions = 1000;

/** There is no saved query of the id. */
export class DefinitionMissing extends Error {
  override readonly name = 'DefinitionMissing';
}

/** The account has as many saved queries as it may. */
export class TooManyDefinitions extends Error {
  override readonly name = 'TooManyDefinitions';
}

/** Queries that were saved, as records of their accounts. */
export class QueryDefinitions {
  readonly #records: RecordStore;

  constructor(records: RecordStore) {
    this.#records = records;
  }

  /**
   * Saves a query anew, or changes one.
   * @param mustExist whether it is one that was saved before
   * @throws DefinitionMissing, TooManyDefinitions
   */
  async put(account: string, id: string, definition: QueryDefinition, mustExist: boolean): Promise<void> {
    await transact(this.#records, logsPartition(account), async (tx) => {
      const key = logKeys.definition(id);
      const before = await tx.get(key);
      if (before === undefined && mustExist)
        throw new DefinitionMissing('The specified query definition does not exist.');
      if (before === undefined && (await tx.count(logKeys.definitions, mostDefinitions)) >= mostDefinitions)
        throw new TooManyDefinitions(`There are ${mostDefinitions} query definitions already. Delete some of them.`);
      tx.put(key, { ...definition } as unknown as Json);
    });
  }

  /** In the order of their names. */
  async list(account: string): Promise<readonly (QueryDefinition & { readonly id: string })[]> {
    const found = await scanAll<QueryDefinition>(this.#records, logsPartition(account), {
      prefix: logKeys.definitions,
    });
    return found
      .map(({ key, value }) => ({ ...value, id: key.slice(logKeys.definitions.length) }))
      .toSorted((one, other) => (sortKey(one) < sortKey(other) ? -1 : 1));
  }

  /** @throws DefinitionMissing */
  async remove(account: string, id: string): Promise<void> {
    await transact(this.#records, logsPartition(account), async (tx) => {
      const key = logKeys.definition(id);
      if ((await tx.get(key)) === undefined)
        throw new DefinitionMissing('The specified query definition does not exist.');
      tx.remove(key);
    });
  }
}

/** By which saved queries are ordered, and pages go on. */
export const sortKey = ({ name, id }: { readonly name: string; readonly id: string }): string => `${name}\0${id}`;
