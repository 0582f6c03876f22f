import type { RecordStore } from '@slipway/storage/records';

import { accountKeys, accountPartition, type TaskDefinitionRecord } from '../state/index.ts';

/** Revisions kept in memory. */
const capacity = 2000;

const arnGrammar = /:task-definition\/(?<family>[\w-]+):(?<revision>\d+)$/;

/** The revision that an ARN names, INACTIVE ones included; undefined when it is gone. */
export async function readDefinition(
  records: Pick<RecordStore, 'get'>,
  account: string,
  arn: string,
): Promise<TaskDefinitionRecord | undefined> {
  const { family, revision } = arnGrammar.exec(arn)?.groups ?? {};
  if (family === undefined || revision === undefined) return undefined;
  const key = accountKeys.taskDefinition(family, Number(revision));
  return (await records.get<TaskDefinitionRecord>(accountPartition(account), key))?.value;
}

/**
 * Task definitions by ARN. A revision's contents never change, so they are kept in memory, but for one thing: a store that lost
 * commits gives a revision that it lost out again, with other contents.
 */
export class Definitions {
  readonly #records: RecordStore;
  #known = new Map<string, TaskDefinitionRecord>();

  constructor(records: RecordStore) {
    this.#records = records;
  }

  /** The revision, INACTIVE ones included; undefined when it is gone. */
  async find(account: string, arn: string): Promise<TaskDefinitionRecord | undefined> {
    // What is being read while everything is forgotten is remembered nowhere.
    const known = this.#known;
    const kept = known.get(arn);
    if (kept !== undefined) return kept;
    const found = await readDefinition(this.#records, account, arn);
    if (found !== undefined) known.set(arn, found);
    const [oldest] = known.keys();
    if (known.size > capacity && oldest !== undefined) known.delete(oldest);
    return found;
  }

  /** The store may have lost commits: from now on every revision is read anew. */
  forget(): void {
    this.#known = new Map();
  }
}
