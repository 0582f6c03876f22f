import { OutboundError, type OutboundRequest } from '@slipway/auth/outbound';
import type { Clock } from '@slipway/storage/clock';
import type { Chance } from './chance.ts';

/** Where webhooks of services lead. */
export const receiverUrl = 'https://hooks.example.com/approve';

/** A receiver of deployment hooks: slow or out of reach, undecided or against it, and with answers that get lost. */
export class Receiver {
  readonly #chance: Chance;
  readonly #isKind: () => boolean;
  readonly #agreed = new Set<string>();

  /** @param isKind when nothing goes wrong any more, it agrees to everything */
  constructor(chance: Chance, isKind: () => boolean) {
    this.#chance = chance;
    this.#isKind = isKind;
  }

  /** Whether it has agreed to an execution. */
  hasAgreed(execution: string): boolean {
    return this.#agreed.has(execution);
  }

  /** What comes of a server's call. @throws OutboundError, or what the signal was aborted with */
  async fetch(clock: Clock, { body = '', signal, timeoutMs = 10_000 }: OutboundRequest = {}): Promise<Response> {
    const chance = this.#chance;
    const isKind = this.#isKind();
    const { executionId } = JSON.parse(Buffer.from(body).toString()) as { readonly executionId: string };
    const lost = new OutboundError('unreachable', 'The address could not be reached.');
    if (!isKind && chance.happens(0.05)) throw lost;
    const takes = !isKind && chance.happens(0.05) ? timeoutMs : chance.between(20, 3_000);
    await clock.sleep(takes, signal);
    if (takes >= timeoutMs) throw new OutboundError('timeout', 'The address did not answer in time.');
    const drawn = chance.number();
    const hookStatus = isKind || drawn < 0.7 ? 'SUCCEEDED' : drawn < 0.9 ? 'IN_PROGRESS' : 'FAILED';
    if (hookStatus === 'SUCCEEDED') this.#agreed.add(executionId);
    if (!isKind && chance.happens(0.05)) throw lost;
    const bytes = Buffer.from(JSON.stringify({ hookStatus, callBackDelay: chance.whole(0, 20) }));
    return { status: 200, arrayBuffer: () => Promise.resolve(bytes) } as unknown as Response;
  }
}
