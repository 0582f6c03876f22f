import {
  type Cidr,
  formatAddress,
  formatCidr,
  lastOf,
  overlaps,
  parseAddress,
  parseCidr,
  sizeOf,
  usable,
} from '../../../network/addresses/index.ts';
import { ProviderError } from '../instance-provider.ts';
import { linkPrefix } from './machine.ts';
import { must } from './programs.ts';

/** A route of this computer, as `ip -json route` prints it. */
export interface Route {
  readonly dst?: string;
  readonly dev?: string;
}

/** What is no machine's: the first address of a range, the second, which is this computer's, and the last. */
const reserved = 3;

/** How many machines have room in a range. */
export const roomOf = (range: Cidr): number => Math.max(0, sizeOf(range) - reserved);

/** Why machines cannot have the addresses of a range, whatever this computer's routes are; undefined when they can. */
export function unfit(range: Cidr, most: number): string | undefined {
  if (most < 1) return 'most must be at least 1';
  if (!usable(range)) return `no machine can have an address of ${formatCidr(range)}`;
  return roomOf(range) < most
    ? `${formatCidr(range)} has room for ${roomOf(range)} machines, not for ${most}: name a larger range or a smaller most`
    : undefined;
}

/** All routes of this computer. @throws ProviderError */
export const routes = async (): Promise<readonly Route[]> =>
  JSON.parse((await must('ip', '-json', '-4', 'route', 'show', 'table', 'all')) || '[]') as Route[];

/** Routes to machines: those of this installation and of others on this computer, which may share a range. */
const isOurs = ({ dev }: Route): boolean => dev?.startsWith(linkPrefix) === true;

const rangeOf = (dst: string): Cidr | undefined => parseCidr(dst.includes('/') ? dst : `${dst}/32`);

/** The way to everybody, in one route or, as some tunnels have it, in two halves. */
const everybody = 1;

/** Why machines cannot have the addresses of a range on a computer with these routes; undefined when they can. */
export function overlap(range: Cidr, found: readonly Route[]): string | undefined {
  for (const route of found) {
    const known = rangeOf(route.dst ?? '');
    if (known === undefined || known.length <= everybody || isOurs(route) || !overlaps(known, range)) continue;
    return `this computer has a route to ${route.dst} (${route.dev ?? 'without a device'}) already, so its machines cannot have addresses of ${formatCidr(range)}: name another range in SLIPWAY_INSTANCE_PROVIDERS, such as docker range=10.213.0.0/24`;
  }
  return undefined;
}

/** This computer's address on every link to a machine. */
export const gatewayOf = (range: Cidr): string => formatAddress(range.base + 1);

/**
 * The first address that no machine has.
 * @param held addresses of machines, whether these run or not
 * @throws ProviderError when there is none
 */
export function freeAddress(range: Cidr, held: readonly string[], found: readonly Route[]): string {
  const taken = new Set([...held, ...found.filter(isOurs).map(({ dst = '' }) => dst)].map(parseAddress));
  for (let address = range.base + 2; address < lastOf(range); address++)
    if (!taken.has(address)) return formatAddress(address);
  throw new ProviderError(`every address of ${formatCidr(range)} is a machine's`);
}
