import { newEventId } from '../../state/index.ts';
import { changeBetween, type NetworkChange } from '../wire/index.ts';
import type { SessionPorts } from './control-session.ts';
import type { HostNetworks } from './host-networks.ts';
import { timing } from './timing.ts';

type State = NonNullable<ReturnType<HostNetworks['of']>>;

/** How the agent is told. */
export interface NetworkWords {
  whole(messageId: string, state: State): void;
  /** @param after the message whose state it changes */
  change(messageId: string, after: string, change: NetworkChange): void;
}

/**
 * Tells one agent of the state of the tasks' network: first all of it, then what has changed since the message before, and all of it again
 * where one is not acknowledged. A connection keeps messages in order, so that what acknowledges one has all before it.
 */
export class NetworkTeller {
  readonly #ports: Pick<SessionPorts, 'options' | 'ref'>;
  /** As it was last told. */
  #told: { readonly state: State; readonly messageId: string } | undefined;
  /** What is not acknowledged, in order: when it was sent, and whether it was a change. */
  readonly #pending = new Map<string, { readonly at: number; readonly isChange: boolean }>();
  /** Whether the agent takes changes: an older one does not know the message. Undefined: neither is known yet. */
  #takesChanges: boolean | undefined;
  /** The last of them. */
  #lastChange: string | undefined;

  constructor(ports: Pick<SessionPorts, 'options' | 'ref'>) {
    this.#ports = ports;
  }

  /** Sends what the agent was not told yet of the state, and all of it again when it does not acknowledge. */
  tell(words: NetworkWords): void {
    const { options, ref } = this.#ports;
    const state = options.networks.of(ref);
    if (state === undefined) return;
    const now = options.clock.monotonic();
    const isDue = now >= this.dueAt;
    if (isDue && [...this.#pending.values()].some(({ isChange }) => isChange)) this.#takesChanges ??= false;
    const told = this.#told;
    if (!isDue && told?.state === state) return;
    const change = told && changeBetween(told.state, state);
    if (!isDue && told !== undefined && change === undefined) {
      this.#told = { ...told, state };
      return;
    }
    const messageId = newEventId(options.random);
    const isChange = !isDue && change !== undefined && this.#takesChanges !== false;
    if (isChange) this.#lastChange = messageId;
    else this.#pending.clear();
    this.#pending.set(messageId, { at: now, isChange });
    this.#told = { state, messageId };
    if (isChange && told !== undefined) words.change(messageId, told.messageId, change);
    else words.whole(messageId, state);
  }

  /** When it is due again though nothing changes, on the monotonic clock. */
  get dueAt(): number {
    const [oldest] = this.#pending.values();
    return oldest === undefined ? Infinity : oldest.at + timing.resendUnacknowledged;
  }

  /** The agent has taken a message, and with it all before it. */
  acknowledged(messageId: string): void {
    // However late: an agent that was busy is not one that does not know them.
    if (this.#pending.get(messageId)?.isChange === true || messageId === this.#lastChange) this.#takesChanges = true;
    if (!this.#pending.has(messageId)) return;
    for (const one of this.#pending.keys()) {
      this.#pending.delete(one);
      if (one === messageId) return;
    }
  }
}
