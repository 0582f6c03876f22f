import type { Clock } from '@slipway/storage/clock';

import type { EngineRecord, TargetRecord } from '../records/index.ts';

/** An engine that has said nothing for so long, in milliseconds, by its own clock, is one of a server that was taken away. */
const takenAway = 24 * 3_600_000;

/**
 * For how long targets drain and engines are silent, as whoever looks after them has seen it by its own monotonic clock: what other machines'
 * clocks say decides about no request. One who begins to look after them begins anew.
 */
export class Drains {
  readonly #clock: Clock;
  readonly #since = new Map<string, number>();
  readonly #heard = new Map<string, { readonly seenAt: number; readonly at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes in how it stands now. */
  look(draining: readonly TargetRecord[], engines: readonly EngineRecord[]): void {
    const at = this.#clock.monotonic();
    const ids = new Set(draining.map(({ id }) => id));
    for (const id of this.#since.keys()) if (!ids.has(id)) this.#since.delete(id);
    for (const id of ids) if (!this.#since.has(id)) this.#since.set(id, at);
    for (const { id, seenAt } of engines) {
      if (this.#heard.get(id)?.seenAt === seenAt) continue;
      const isOld = !this.#heard.has(id) && this.#clock.now() - seenAt > takenAway;
      this.#heard.set(id, { seenAt, at: isOld ? Number.NEGATIVE_INFINITY : at });
    }
  }

  readonly drainedFor = ({ id }: Pick<TargetRecord, 'id'>): number =>
    this.#clock.monotonic() - (this.#since.get(id) ?? this.#clock.monotonic());

  readonly silentFor = ({ id }: Pick<EngineRecord, 'id'>): number =>
    this.#clock.monotonic() - (this.#heard.get(id)?.at ?? this.#clock.monotonic());
}
