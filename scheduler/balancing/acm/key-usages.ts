/**
 * The two facts of a certificate that Node does not tell: its version, and what its key may be used for. Reads DER that OpenSSL has taken
 * already (RFC 5280, sections 4.1 and 4.2.1.3).
 */

interface Part {
  readonly tag: number;
  readonly content: Uint8Array;
}

/** The parts of a constructed value, one after the other. @throws RangeError where lengths do not fit */
function partsOf(der: Uint8Array): readonly Part[] {
  const parts: Part[] = [];
  for (let at = 0; at < der.length;) {
    const [tag = 0, first = 0] = der.subarray(at, at + 2);
    const more = first < 0x80 ? 0 : first & 0x7f;
    if (more > 4) throw new RangeError('a length of DER has too many bytes');
    const length = more === 0 ? first : der.subarray(at + 2, at + 2 + more).reduce((sum, byte) => sum * 256 + byte, 0);
    const begin = at + 2 + more;
    if (begin + length > der.length) throw new RangeError('a part of DER is longer than the whole');
    parts.push({ tag, content: der.subarray(begin, begin + length) });
    at = begin + length;
  }
  return parts;
}

const within = (part: Part | undefined): readonly Part[] => (part === undefined ? [] : partsOf(part.content));

/** The members of the part that is signed. */
const membersOf = (certificate: Uint8Array): readonly Part[] => within(within(partsOf(certificate)[0])[0]);

export function isVersion3(certificate: Uint8Array): boolean {
  const version = membersOf(certificate).find(({ tag }) => tag === 0xa0);
  return within(version)[0]?.content[0] === 2;
}

const names = [
  'DIGITAL_SIGNATURE',
  'NON_REPUDIATION',
  'KEY_ENCIPHERMENT',
  'DATA_ENCIPHERMENT',
  'KEY_AGREEMENT',
  'CERTIFICATE_SIGNING',
  'CRL_SIGNING',
  'ENCIPHER_ONLY',
  'DECIPHER_ONLY',
];
/** 2.5.29.15 */
const keyUsage = Buffer.from([0x55, 0x1d, 0x0f]);

/** Key usages in ACM's names; none where the certificate does not limit them. */
export function keyUsagesOf(certificate: Uint8Array): readonly string[] {
  const extensions = within(within(membersOf(certificate).find(({ tag }) => tag === 0xa3))[0]);
  const found = extensions.map(within).find(([id]) => id !== undefined && keyUsage.equals(id.content));
  const [bits] = within(found?.at(-1));
  if (bits === undefined) return [];
  const [, ...bytes] = bits.content;
  return names.filter((_, bit) => ((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0);
}
