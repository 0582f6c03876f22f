/** Ranges, free addresses and slices of subnets: pure. */
export {
  type Cidr,
  contains,
  formatAddress,
  formatCidr,
  holds,
  lastOf,
  overlaps,
  parseAddress,
  parseCidr,
  sizeOf,
  usable,
} from './cidr.ts';
export { assignable, capacityOf, freeAddress, freeSlice, reservedFirst } from './slices.ts';
