import { isIP } from 'node:net';

/** Identifiers of certificates: DNS names (RFC 8555, section 7.1.4) and IP addresses (RFC 8738), as the settings give them. */
export interface Identifier {
  readonly type: 'dns' | 'ip';
  readonly value: string;
}

export const identifierOf = (name: string): Identifier => ({ type: isIP(name) === 0 ? 'dns' : 'ip', value: name });

/** The 4 or 16 bytes of an IP address. */
export function addressBytes(address: string): Uint8Array {
  if (isIP(address) === 4) return Uint8Array.from(address.split('.'), Number);
  // The URL parser writes every form of an IPv6 address as groups in hexadecimal.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const groups = (part: string | undefined): string[] => (part ? part.split(':') : []);
  const [before, after] = [groups(head), groups(tail)];
  const all = [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after];
  return Uint8Array.from(all.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]));
}

/** The server name with which an authority asks for a name by TLS-ALPN-01: itself, or the reverse name of an address (RFC 8738, section 6). */
export function serverNameOf(name: string): string {
  if (isIP(name) === 0) return name;
  const bytes = [...addressBytes(name)].toReversed();
  return isIP(name) === 4
    ? `${bytes.join('.')}.in-addr.arpa`
    : `${bytes.map((byte) => `${(byte & 15).toString(16)}.${(byte >> 4).toString(16)}`).join('.')}.ip6.arpa`;
}
