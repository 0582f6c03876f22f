import { newEventId } from '../../state/index.ts';
import type { SessionPorts } from './control-session.ts';
import type { HostNetworks } from './host-networks.ts';
import { timing } from './timing.ts';

type State = NonNullable<ReturnType<HostNetworks['of']>>;

/** Tells one agent of the state of the tasks' network, until it acknowledges the newest. */
export class NetworkTeller {
  readonly #ports: Pick<SessionPorts, 'options' | 'ref'>;
  /** As it was last sent. */
  #sent: { readonly text: string; readonly messageId: string; readonly at: number; acknowledged: boolean } | undefined;

  constructor(ports: Pick<SessionPorts, 'options' | 'ref'>) {
    this.#ports = ports;
  }

  /** Sends the state when it is not what the agent was last sent, and again when it does not acknowledge. */
  tell(send: (messageId: string, state: State) => void): void {
    const { options, ref } = this.#ports;
    const state = options.networks.of(ref);
    if (state === undefined) return;
    const text = JSON.stringify(state);
    const now = options.clock.monotonic();
    const sent = this.#sent;
    if (sent?.text === text && (sent.acknowledged || now - sent.at < timing.resendUnacknowledged)) return;
    const messageId = newEventId(options.random);
    this.#sent = { text, messageId, at: now, acknowledged: false };
    send(messageId, state);
  }

  /** When it is due again though nothing changes, on the monotonic clock. */
  get dueAt(): number {
    if (this.#sent === undefined || this.#sent.acknowledged) return Infinity;
    return this.#sent.at + timing.resendUnacknowledged;
  }

  /** The agent has taken a message. */
  acknowledged(messageId: string): void {
    if (this.#sent?.messageId === messageId) this.#sent.acknowledged = true;
  }
}
