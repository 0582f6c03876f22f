import { formatAddress, lastOf, parseAddress, parseCidr } from '../../network/addresses/index.ts';

/** Addresses that load balancers listen on. */
export interface AddressPool {
  /**
   * The address of a new load balancer: a free one while there is any, else the one that fewest have.
   * @param taken the addresses of the others. @returns undefined when the pool is empty
   */
  next(taken: readonly string[]): string | undefined;
  /** Where a load balancer's name ends: `elb.localhost`. */
  readonly domain: string;
}

/** How many addresses a pool has at most: more load balancers than that nobody has. */
const most = 65_536;

/**
 * A pool of addresses and ranges of addresses.
 * @param given IPv4 addresses and CIDR blocks; of a range that has room for it, not the first and last address, which hosts cannot have
 * @throws TypeError for what is neither
 */
export function addressPool(given: readonly string[], domain: string): AddressPool {
  const ranges = given.map((text) => {
    const range = parseCidr(text.includes('/') ? text : `${text}/32`);
    if (range === undefined) throw new TypeError(`'${text}' is neither an IPv4 address nor a range of them`);
    return range.length >= 31
      ? { first: range.base, last: lastOf(range) }
      : { first: range.base + 1, last: lastOf(range) - 1 };
  });
  return {
    domain,
    next(taken) {
      const counts = new Map<number, number>();
      for (const text of taken) {
        const address = parseAddress(text);
        if (address !== undefined) counts.set(address, (counts.get(address) ?? 0) + 1);
      }
      let best: { address: number; count: number } | undefined;
      let seen = 0;
      for (const { first, last } of ranges)
        for (let address = first; address <= last && seen < most; address++, seen++) {
          const count = counts.get(address) ?? 0;
          if (count === 0) return formatAddress(address);
          if (best === undefined || count < best.count) best = { address, count };
        }
      return best === undefined ? undefined : formatAddress(best.address);
    },
  };
}
