import { type Cidr, lastOf, overlaps, sizeOf } from './cidr.ts';

/**
 * The first four addresses of a subnet and its last are nobody's, as in EC2: the network's own, the router's, the resolver's, one
 * for later, and the broadcast address.
 */
export const reservedFirst = 4;
const reservedLast = 1;

/** How many addresses of a subnet things can have. */
export const capacityOf = (subnet: Cidr): number => Math.max(0, sizeOf(subnet) - reservedFirst - reservedLast);

/** Whether an address of a subnet is one that things can have. */
export const assignable = (subnet: Cidr, address: number): boolean =>
  address >= subnet.base + reservedFirst && address <= lastOf(subnet) - reservedLast;

/**
 * The lowest free address of a slice of a subnet.
 * @param slice the subnet itself, or the part of it that a host has
 * @param taken whether somebody has an address
 * @returns undefined when there is none
 */
export function freeAddress(subnet: Cidr, slice: Cidr, taken: (address: number) => boolean): number | undefined {
  const from = Math.max(slice.base, subnet.base + reservedFirst);
  const to = Math.min(lastOf(slice), lastOf(subnet) - reservedLast);
  for (let address = from; address <= to; address++) if (!taken(address)) return address;
  return undefined;
}

/**
 * A part of a subnet for one host, so that the host gives out addresses that nobody else can: the first aligned range of the length
 * that meets none of those leased and has an address to give. A subnet that is smaller than the length is one slice.
 * @param leased slices that hosts have, of any subnet: two VPCs may have the same addresses, two tasks may not
 * @returns undefined when the subnet is leased out
 */
export function freeSlice(subnet: Cidr, length: number, leased: readonly Cidr[]): Cidr | undefined {
  const size = 2 ** (32 - Math.max(length, subnet.length));
  const inside = leased.filter((slice) => overlaps(slice, subnet)).toSorted((a, b) => a.base - b.base);
  let next = 0;
  for (let base = subnet.base; base <= lastOf(subnet); base += size) {
    const slice = { base, length: Math.max(length, subnet.length) };
    while (next < inside.length && lastOf(inside[next] as Cidr) < base) next++;
    const met = inside[next];
    if (met !== undefined && overlaps(met, slice)) continue;
    if (freeAddress(subnet, slice, () => false) !== undefined) return slice;
  }
  return undefined;
}
