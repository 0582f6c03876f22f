import type { RecordStore, Stored } from '@slipway/storage/records';
import { checkEvents } from './checks.ts';
import { LogsThrottled, type Shipment, type ShippedMark } from './contract.ts';
import type { FileStream } from './event-file.ts';
import { type Intake, MarkMoved } from './intake.ts';
import { logKeys, logsPartition } from './keys.ts';

/** How often a sender may find that another one of the same stream was quicker, until it is told to come again. */
const attempts = 5;
const patience = 100;

/** Takes in events of senders that may send them again, each event once. */
export class Shipping {
  readonly #records: RecordStore;
  readonly #intake: (account: string) => Intake;
  /** Streams of which something is on its way: the next one's mark is read when it has arrived. */
  readonly #last = new Map<string, Promise<unknown>>();

  constructor(records: RecordStore, intake: (account: string) => Intake) {
    this.#records = records;
    this.#intake = intake;
  }

  /** @throws LogsThrottled; what the stores throw */
  ship(account: string, stream: FileStream, shipment: Shipment): Promise<ShippedMark | undefined> {
    const before = this.#last.get(stream.id) ?? Promise.resolve();
    const turn = before.then(
      () => this.#ship(account, stream, shipment),
      () => this.#ship(account, stream, shipment),
    );
    this.#last.set(stream.id, turn);
    const over = (): void => {
      if (this.#last.get(stream.id) === turn) this.#last.delete(stream.id);
    };
    turn.then(over, over);
    return turn;
  }

  mark(account: string, { group, id }: FileStream): Promise<Stored<ShippedMark> | undefined> {
    return this.#records.get<ShippedMark>(logsPartition(account), logKeys.shipped(group, id));
  }

  async #ship(account: string, stream: FileStream, shipment: Shipment): Promise<ShippedMark | undefined> {
    const { first, events, resume } = shipment;
    for (let attempt = 1; ; attempt++) {
      const stored = await this.mark(account, stream);
      const sent = events.slice(Math.max(0, (stored?.value.last ?? 0) - first + 1));
      const rest = sent.filter((event) => event !== undefined);
      // What is left out again would be left out again: nothing of it need be kept.
      if (rest.length === 0) return sent.length === 0 ? stored?.value : { last: first + events.length - 1, resume };
      const taken = rest.map(({ timestamp, message }) => ({ timestamp, message: Buffer.from(message) }));
      const value: ShippedMark = { last: first + events.length - 1, resume };
      const mark = { key: logKeys.shipped(stream.group, stream.id), version: stored?.version ?? 0, value };
      try {
        await this.#intake(account).take(stream, taken, checkEvents(rest), mark);
        return value;
      } catch (error) {
        if (!(error instanceof MarkMoved)) throw error;
        if (attempt >= attempts)
          throw new LogsThrottled('several senders write to one log stream; send the events again', patience);
      }
    }
  }
}
