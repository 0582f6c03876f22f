import { isIPv6 } from 'node:net';

import type { Clock } from '@slipway/storage/clock';

/** Connections without a token yet: of all strangers, and of one network. */
const most = { all: 256, network: 16 } as const;
/** Milliseconds within which a client that has a token sends it; who has not may lose its place when others want in. */
const grace = 1_000;

interface Stranger {
  readonly network: string;
  readonly since: number;
  readonly cut: () => void;
}

/**
 * Who has come and has not shown a token yet. They have few places, and who comes when all are taken gets one from whoever has the most
 * of them, or has waited the longest: few networks cannot keep the others out, and many cannot by waiting.
 */
export class Strangers {
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** Who came first comes first. */
  readonly #there = new Set<Stranger>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#there.size;
  }

  /** Whether there is a place for one more, somebody else's included. */
  admits(address: string): boolean {
    return this.#placeFor(networkOf(address)) !== undefined;
  }

  /** @param cut closes the connection: somebody else has its place @returns gives the place back; undefined when there is none */
  enter(address: string, cut: () => void): (() => void) | undefined {
    const network = networkOf(address);
    const place = this.#placeFor(network);
    if (place === undefined) return undefined;
    if (place !== 'free') {
      this.#there.delete(place);
      place.cut();
    }
    const stranger: Stranger = { network, since: this.#clock.monotonic(), cut };
    this.#there.add(stranger);
    return () => {
      this.#there.delete(stranger);
    };
  }

  #placeFor(network: string): 'free' | Stranger | undefined {
    const held = new Map<string, number>();
    for (const one of this.#there) held.set(one.network, (held.get(one.network) ?? 0) + 1);
    const own = held.get(network) ?? 0;
    if (own >= most.network) return undefined;
    if (this.#there.size < most.all) return 'free';
    const [oldest] = this.#there;
    const largest = Math.max(...held.values());
    if (largest > own + 1) return [...this.#there].find((one) => held.get(one.network) === largest);
    return oldest !== undefined && this.#clock.monotonic() - oldest.since >= grace ? oldest : undefined;
  }
}

/** An IPv4 address, or the /64 of an IPv6 one: whoever has one address of it has all. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [bare = ''] = address.split('%');
  // URLs write an address in its shortest form, IPv4 in two groups of hexadecimal digits.
  const groups = new URL(`http://[${bare}]/`).hostname.slice(1, -1).split('::');
  const [head = [], tail = []] = groups.map((part) => (part === '' ? [] : part.split(':')));
  const all = [...head, ...Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => '0'), ...tail];
  // IPv4 within IPv6 is one address of many.
  return /^::ffff:/i.test(bare) ? bare.toLowerCase() : `${all.slice(0, 4).join(':')}::/64`;
}
