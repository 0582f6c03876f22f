import { isIPv4, isIPv6 } from 'node:net';

/** Which kind of IP address a text is, without a zone; undefined when it is none. */
export function kindOfAddress(text: string): 4 | 6 | undefined {
  if (isIPv4(text)) return 4;
  return isIPv6(text) && !text.includes('%') ? 6 : undefined;
}

/** Whether an address is in a subnet (`10.0.0.0/8`, `fd00::/8`). @param kind of address that is asked about; undefined: either */
export function isInSubnet(address: string, subnet: string, kind: 4 | 6 | undefined): boolean {
  const [base = '', size = '', ...more] = subnet.split('/');
  const of = kindOfAddress(address);
  if (of === undefined || of !== kindOfAddress(base) || (kind ?? of) !== of) return false;
  const width = of === 4 ? 32 : 128;
  const bits = /^\d{1,3}$/.test(size) ? Number(size) : NaN;
  if (more.length > 0 || !(bits <= width)) return false;
  const shift = BigInt(width - bits);
  return numberOfAddress(address, of) >> shift === numberOfAddress(base, of) >> shift;
}

function numberOfAddress(text: string, kind: 4 | 6): bigint {
  if (kind === 4) return text.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
  // The last 32 bits may be written as those of version 4.
  const last = text.slice(text.lastIndexOf(':') + 1);
  const number = last.includes('.') ? Number(numberOfAddress(last, 4)) : undefined;
  const written =
    number === undefined
      ? text
      : `${text.slice(0, -last.length)}${(number >>> 16).toString(16)}:${(number & 0xffff).toString(16)}`;
  const [head = '', tail] = written.split('::');
  const words = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const [before, after] = [words(head), tail === undefined ? [] : words(tail)];
  const all = [...before, ...Array.from({ length: 8 - before.length - after.length }, () => '0'), ...after];
  return all.reduce((sum, word) => (sum << 16n) | BigInt(`0x${word}`), 0n);
}
