import type { Clock } from '@slipway/storage/clock';
import type { RecordStore } from '@slipway/storage/records';

import { newId, type RandomBytes } from '../../state/index.ts';

import { claim } from './claims.ts';
import { UsageLedger, type UsageSession } from './ledger.ts';
import type { InstanceName } from './records.ts';

/** Takes in what agents that are connected to this process say of their tasks. */
export class UsageCollector {
  readonly ledger: UsageLedger;
  /** This process, for as long as it runs: whose numbers are told by it is in the records under this. */
  readonly self: string;
  readonly #records: RecordStore;

  constructor({
    records,
    clock,
    random,
  }: {
    readonly records: RecordStore;
    readonly clock: Clock;
    readonly random: RandomBytes;
  }) {
    this.#records = records;
    this.self = newId(random);
    this.ledger = new UsageLedger(() => clock.now());
  }

  /** An agent's telemetry connection was opened: from now on this process tells its numbers, and no other does. */
  async open(instance: InstanceName): Promise<UsageSession> {
    await claim(this.#records, instance, this.self);
    return this.ledger.open(instance);
  }
}
