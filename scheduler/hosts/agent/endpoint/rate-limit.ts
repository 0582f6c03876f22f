import type { Server } from 'node:net';

import type { Clock } from '@slipway/storage/clock';

/** As amazon-ecs-agent limits its task metadata endpoint by default; here each address has its own share. */
const perSecond = 40;
const burst = 60;
/** Addresses remembered at most; a host has far fewer containers. */
const mostAddresses = 4096;

/** A token bucket for each address. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether one more request of this address may be answered now. */
  allows(address: string): boolean {
    const now = this.#clock.monotonic();
    const before = this.#buckets.get(address) ?? { tokens: burst, at: now };
    const tokens = Math.min(burst, before.tokens + ((now - before.at) / 1000) * perSecond);
    this.#buckets.delete(address);
    this.#buckets.set(address, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now });
    const oldest = this.#buckets.keys().next().value;
    if (this.#buckets.size > mostAddresses && oldest !== undefined) this.#buckets.delete(oldest);
    return tokens >= 1;
  }
}

/** Ends connections of an address beyond the `most` that it may hold at a time, so that one peer never starves the others. */
export function limitPerAddress(server: Server, most: number): void {
  const held = new Map<string, number>();
  server.on('connection', (socket) => {
    const from = socket.remoteAddress ?? '';
    const count = held.get(from) ?? 0;
    if (count >= most) {
      socket.destroy();
      return;
    }
    held.set(from, count + 1);
    socket.once('close', () => {
      const left = (held.get(from) ?? 1) - 1;
      if (left > 0) held.set(from, left);
      else held.delete(from);
    });
  });
}
