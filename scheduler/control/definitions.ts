import type { RecordStore } from '@slipway/storage/records';

import { accountKeys, accountPartition, type TaskDefinitionRecord } from '../state/index.ts';

/** Revisions kept in memory. */
const capacity = 2000;

const arnGrammar = /:task-definition\/(?<family>[\w-]+):(?<revision>\d+)$/;

/** Task definitions by ARN. A revision's contents never change, so they are kept in memory. */
export class Definitions {
  readonly #records: RecordStore;
  readonly #known = new Map<string, TaskDefinitionRecord>();

  constructor(records: RecordStore) {
    this.#records = records;
  }

  /** The revision, INACTIVE ones included; undefined when it is gone. */
  async find(account: string, arn: string): Promise<TaskDefinitionRecord | undefined> {
    const known = this.#known.get(arn);
    if (known !== undefined) return known;
    const { family, revision } = arnGrammar.exec(arn)?.groups ?? {};
    if (family === undefined || revision === undefined) return undefined;
    const key = accountKeys.taskDefinition(family, Number(revision));
    const stored = await this.#records.get<TaskDefinitionRecord>(accountPartition(account), key);
    if (stored !== undefined) this.#known.set(arn, stored.value);
    const [oldest] = this.#known.keys();
    if (this.#known.size > capacity && oldest !== undefined) this.#known.delete(oldest);
    return stored?.value;
  }
}
