import { X509Certificate } from 'node:crypto';

import type { Certificate } from './desired-state.ts';

/** A host name, or one with `*` in the place of its first label: what clients name, and what a configuration may hold as it is. */
const hostPattern = /^(?:\*\.)?[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;

/** The names that a certificate is for, in lower case: its alternative names, or its common name where it has none (RFC 6125, section 6.4.4). */
function namesOf(leaf: X509Certificate): readonly string[] {
  const alternative = [...(leaf.subjectAltName ?? '').matchAll(/(?:^|, )DNS:([^",]*)/g)].map(([, name = '']) => name);
  const { CN } = leaf.toLegacyObject().subject ?? {};
  const common = typeof CN === 'string' ? [CN] : [];
  return (alternative.length > 0 ? alternative : common).map((name) => name.toLowerCase()).filter(isHost);
}

const isHost = (name: string): boolean => name.length <= 253 && hostPattern.test(name);

interface Candidate {
  readonly certificate: Certificate;
  readonly isEc: boolean;
  readonly bits: number;
  readonly ends: number;
}

/**
 * Which certificates a name is answered with: by name or pattern, one with an elliptic key before one with RSA, for clients that do not
 * know the first kind. Of several of a kind the one with the longer key, then the one that ends later, then the first (ELB user guide,
 * "Certificate list"). Every engine decides by this table.
 */
export function certificatesByName(certificates: readonly Certificate[]): ReadonlyMap<string, readonly Certificate[]> {
  const byName = new Map<string, Candidate[]>();
  for (const certificate of certificates) {
    const leaf = new X509Certificate(certificate.chain);
    const { asymmetricKeyType, asymmetricKeyDetails } = leaf.publicKey;
    const curve = asymmetricKeyDetails?.namedCurve ?? '';
    const candidate: Candidate = {
      certificate,
      isEc: asymmetricKeyType === 'ec',
      bits: asymmetricKeyDetails?.modulusLength ?? Number(/\d{3}/.exec(curve)?.[0] ?? 0),
      ends: Number(leaf.validToDate),
    };
    for (const name of new Set(namesOf(leaf))) byName.set(name, [...(byName.get(name) ?? []), candidate]);
  }
  return new Map(
    [...byName].map(([name, candidates]) => {
      const sorted = candidates.toSorted((a, b) => b.bits - a.bits || b.ends - a.ends);
      const best = [sorted.find(({ isEc }) => isEc), sorted.find(({ isEc }) => !isEc)];
      return [name, best.flatMap((one) => (one === undefined ? [] : [one.certificate]))];
    }),
  );
}

/** What a client that names `name` gets: by the name itself, else by the pattern that stands for its first label; undefined for others. */
export function entryFor<T>(table: ReadonlyMap<string, T>, name: string): T | undefined {
  const asked = name.toLowerCase();
  return table.get(asked) ?? table.get(asked.replace(/^[^.]+/, '*'));
}
