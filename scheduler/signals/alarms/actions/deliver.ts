import type { Log } from '@slipway/auth/contract';
import { tellWebhook, webhookOf, type WebhookPorts } from '@slipway/auth/outbound';
import type { HeldLease } from '@slipway/storage/leases';
import { StaleEpoch, transact } from '@slipway/storage/records';

import { newEventId, sameRecord, toJson } from '../../../state/index.ts';
import { alarmKeys, alarmsPartition } from '../store/keys.ts';
import type { ActionRecord } from '../store/records.ts';
import { actionItem } from '../store/transition.ts';
import { payloadOf } from './payload.ts';
import { alarmSecret, type SecretPorts } from './secrets.ts';

export interface DeliveryPorts extends SecretPorts, WebhookPorts {
  readonly region: string;
  readonly log: Log;
}

/** Webhooks of an account that are told at the same time; of one alarm, one after the other. */
const mostCalls = 16;

/** Attempts before an action is given up, and milliseconds from the first to the second; the pause doubles up to the longest. About 40 minutes in all. */
const mostAttempts = 10;
const firstPause = 10_000;
const longestPause = 600_000;

/** Carries out the actions of an account, as long as this server keeps its alarms. */
export class Delivery {
  readonly #ports: DeliveryPorts;
  readonly #account: string;
  readonly #held: HeldLease;
  /** By the alarm. */
  readonly #busy = new Map<string, Promise<void>>();

  constructor(ports: DeliveryPorts, account: string, held: HeldLease) {
    this.#ports = ports;
    this.#account = account;
    this.#held = held;
  }

  /**
   * Begins whatever is due and has room.
   * @param actions in their order
   * @param done called when one has ended: another may begin
   */
  begin(actions: Iterable<ActionRecord>, over: AbortSignal, done: () => void): void {
    const now = this.#ports.clock.now();
    for (const action of actions) {
      if (this.#busy.size >= mostCalls) return;
      if (action.nextAt > now || this.#busy.has(action.alarm)) continue;
      const end = (): void => {
        this.#busy.delete(action.alarm);
        done();
      };
      this.#busy.set(action.alarm, this.#carryOut(action, over).then(end, end));
    }
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await Promise.all(this.#busy.values());
  }

  /** Never rejects: what fails without being recorded is tried again. */
  async #carryOut(action: ActionRecord, over: AbortSignal): Promise<void> {
    const { log } = this.#ports;
    const fields = { account: this.#account, alarm: action.alarm, action: action.id };
    try {
      const failure = await this.#tell(action, over);
      await this.#record(action, failure);
      if (failure === undefined) log.info(fields, 'told a webhook of an alarm');
      else
        log.warn({ ...fields, attempts: action.attempts + 1, reason: failure }, 'could not tell a webhook of an alarm');
    } catch (err) {
      if (!over.aborted && !(err instanceof StaleEpoch)) log.warn({ ...fields, err }, 'cannot carry out an action now');
    }
  }

  async #tell(action: ActionRecord, over: AbortSignal): Promise<string | undefined> {
    const url = webhookOf(action.action);
    if (url === undefined) return 'It is no webhook.';
    const secret = await alarmSecret(this.#ports, this.#account, action.alarm);
    const place = { account: this.#account, region: this.#ports.region };
    return tellWebhook(this.#ports, url, { id: action.id, payload: payloadOf(place, action), secret }, over);
  }

  /** What came of it, under the fence, if nobody else has recorded another attempt. */
  async #record(action: ActionRecord, failure: string | undefined): Promise<void> {
    const { records, clock, random } = this.#ports;
    const key = alarmKeys.action(action.at, action.id);
    await transact(
      records,
      alarmsPartition(this.#account),
      async (tx) => {
        if (!sameRecord(await tx.get<ActionRecord>(key), action)) return;
        const now = clock.now();
        const attempts = action.attempts + 1;
        if (failure === undefined || attempts >= mostAttempts) {
          tx.remove(key);
          const item = actionItem(action, now, failure);
          tx.put(alarmKeys.historyItem(item.at, newEventId(random)), toJson(item));
          return;
        }
        const pause = Math.min(firstPause * 2 ** action.attempts, longestPause);
        tx.put(key, toJson({ ...action, attempts, nextAt: now + pause, lastError: failure }));
      },
      { fence: this.#held },
    );
  }
}
