import { BlockList, isIP } from 'node:net';

/** Ranges that are not the public internet: private, shared, loopback, link-local, documentation, multicast, reserved, translated. */
const closedRanges = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/128',
  '::1/128',
  // IPv4 inside IPv6 by NAT64, Teredo and 6to4 would go around the list above.
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/32',
  '2001:db8::/32',
  '2002::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
];

/** Where clouds and task credential endpoints hand out secrets: no setting opens these. */
const secretRanges = ['169.254.169.254/32', '169.254.170.2/32', '169.254.170.23/32', 'fd00:ec2::/32'];

const listOf = (ranges: readonly string[]): BlockList => {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits] = range.split('/');
    const family = isIP(address);
    const width = family === 6 ? 128 : 32;
    const prefix = bits === undefined ? width : Number(bits);
    if (family === 0 || !Number.isInteger(prefix) || prefix < 0 || prefix > width) {
      throw new TypeError(`not an address or CIDR range: ${range}`);
    }
    list.addSubnet(address, prefix, family === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
};

const closed = listOf(closedRanges);
const secret = listOf(secretRanges);

/** Which addresses may be connected to: the public internet, and the ranges that the operator opened. */
export class AddressRule {
  readonly #allowed: BlockList;

  /** @param allow addresses and CIDR ranges, e.g. `192.168.1.0/24` for receivers in a home network; throws TypeError for others */
  constructor(allow: readonly string[]) {
    this.#allowed = listOf(allow);
  }

  /** Text that is no address is not allowed. */
  allows(address: string): boolean {
    const family = isIP(address);
    if (family === 0) return false;
    const type = family === 6 ? 'ipv6' : 'ipv4';
    if (secret.check(address, type)) return false;
    return !closed.check(address, type) || this.#allowed.check(address, type);
  }
}
