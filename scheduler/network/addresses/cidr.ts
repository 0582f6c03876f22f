/** Ranges of IPv4 addresses as numbers: pure arithmetic, no node modules. */

/** A range of addresses, `base/length`: `base` is the first address as an unsigned 32-bit number, without host bits. */
export interface Cidr {
  readonly base: number;
  /** Length of the prefix, 0 to 32. */
  readonly length: number;
}

/** An address in dotted decimal as an unsigned 32-bit number; undefined when it is none. Leading zeros are refused: some read them as octal. */
export function parseAddress(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let address = 0;
  for (const part of parts) {
    if (!/^(?:0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    address = address * 256 + Number(part);
  }
  return address;
}

/** An address in dotted decimal. */
export const formatAddress = (address: number): string =>
  [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255].join('.');

/** How many addresses a range has. */
export const sizeOf = ({ length }: Cidr): number => 2 ** (32 - length);

/** The last address of a range. */
export const lastOf = (range: Cidr): number => range.base + sizeOf(range) - 1;

/**
 * `10.0.0.0/16`; host bits are cleared, as EC2 does.
 * @returns undefined when the text is no range
 */
export function parseCidr(text: string): Cidr | undefined {
  const [, address = '', prefix = ''] = /^([0-9.]{7,15})\/(0|[1-9][0-9]?)$/.exec(text) ?? [];
  const base = parseAddress(address);
  const length = Number(prefix);
  if (base === undefined || prefix === '' || length > 32) return undefined;
  return { base: base - (base % 2 ** (32 - length)), length };
}

export const formatCidr = ({ base, length }: Cidr): string => `${formatAddress(base)}/${length}`;

/** Whether `outer` holds all of `inner`. */
export const contains = (outer: Cidr, inner: Cidr): boolean =>
  outer.base <= inner.base && lastOf(inner) <= lastOf(outer);

/** Whether an address lies in a range. */
export const holds = (range: Cidr, address: number): boolean => range.base <= address && address <= lastOf(range);

/** Whether two ranges share an address. Of two CIDR ranges that do, one holds the other. */
export const overlaps = (a: Cidr, b: Cidr): boolean => contains(a, b) || contains(b, a);

/** Ranges in which no host of anybody's can be: this network, loopback, link-local, multicast and beyond (RFC 6890). */
const never: readonly Cidr[] = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'].map(
  (text) => parseCidr(text) as Cidr,
);

/** Whether addresses of a range can be given to something. */
export const usable = (range: Cidr): boolean => !never.some((reserved) => overlaps(reserved, range));
