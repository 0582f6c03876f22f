import { createHash, KeyObject, randomBytes, type webcrypto, X509Certificate } from 'node:crypto';
import { BitString, fromBER, Integer, OctetString, Utf8String } from 'asn1js';
import {
  Attribute,
  AttributeTypeAndValue,
  AuthorityKeyIdentifier,
  Certificate,
  CertificationRequest,
  Extension,
  Extensions,
  GeneralName,
  GeneralNames,
  Time,
} from 'pkijs';
import type { KeyPair } from '../gateway/index.ts';
import { addressBytes, identifierOf } from './names.ts';

/** Object identifiers of RFC 5280, RFC 2986 and RFC 8737. */
const oid = {
  commonName: '2.5.4.3',
  subjectAltName: '2.5.29.17',
  keyUsage: '2.5.29.15',
  authorityKeyIdentifier: '2.5.29.35',
  extensionRequest: '1.2.840.113549.1.9.14',
  acmeIdentifier: '1.3.6.1.5.5.7.1.31',
};

/** Keys that public authorities certify, in the names of ACM's API. */
export type KeyKind = 'EC_prime256v1' | 'EC_secp384r1' | 'RSA_2048';

const keyKinds: Readonly<
  Record<
    KeyKind,
    { readonly algorithm: webcrypto.EcKeyGenParams | webcrypto.RsaHashedKeyGenParams; readonly hash: string }
  >
> = {
  EC_prime256v1: { algorithm: { name: 'ECDSA', namedCurve: 'P-256' }, hash: 'SHA-256' },
  EC_secp384r1: { algorithm: { name: 'ECDSA', namedCurve: 'P-384' }, hash: 'SHA-384' },
  RSA_2048: {
    algorithm: {
      name: 'RSASSA-PKCS1-v1_5',
      modulusLength: 2048,
      publicExponent: Uint8Array.of(1, 0, 1),
      hash: 'SHA-256',
    },
    hash: 'SHA-256',
  },
};

/** Every client of today takes ECDSA with P-256, and handshakes are several times cheaper than with RSA. */
const usualKind = 'EC_prime256v1';

/** A certificate that waits to be signed. */
export interface CertificateRequest {
  /** PKCS #10, DER. */
  readonly request: Uint8Array;
  /** The new key, PEM. */
  readonly key: string;
}

/** Asks for a certificate of these names with a new key. */
export async function requestCertificate(
  names: readonly string[],
  kind: KeyKind = usualKind,
): Promise<CertificateRequest> {
  const keys = await newKeys(kind);
  const request = new CertificationRequest();
  await request.subjectPublicKeyInfo.importKey(keys.publicKey);
  const extensions = new Extensions({ extensions: [subjectAltName(names)] });
  request.attributes = [new Attribute({ type: oid.extensionRequest, values: [extensions.toSchema()] })];
  await request.sign(keys.privateKey, keyKinds[kind].hash);
  return { request: new Uint8Array(request.toSchema(true).toBER()), key: pemOf(keys.privateKey) };
}

/** A certificate that nobody trusts, to listen with until there is one. It ends after a day. */
export function placeholder(names: readonly string[], now: number): Promise<KeyPair> {
  const hour = 3_600_000;
  return selfSigned('Slipway has no certificate yet', names, now - hour, now + 24 * hour, []);
}

/** The certificate that proves control of a name by TLS-ALPN-01 (RFC 8737, section 3). */
export function challengeCertificate(name: string, keyAuthorization: string, now: number): Promise<KeyPair> {
  const digest = createHash('sha256').update(keyAuthorization).digest();
  const proof = new Extension({
    extnID: oid.acmeIdentifier,
    critical: true,
    extnValue: new OctetString({ valueHex: bytes(digest) }).toBER(),
  });
  return selfSigned('ACME challenge', [name], now - 3_600_000, now + 24 * 3_600_000, [proof]);
}

async function selfSigned(
  commonName: string,
  names: readonly string[],
  from: number,
  until: number,
  extensions: readonly Extension[],
): Promise<KeyPair> {
  const keys = await newKeys(usualKind);
  const certificate = new Certificate();
  certificate.version = 2;
  const serial = randomBytes(16);
  // Positive, and of full length.
  serial[0] = 0x40 | ((serial[0] ?? 0) & 0x3f);
  certificate.serialNumber = new Integer({ valueHex: bytes(serial) });
  for (const party of [certificate.subject, certificate.issuer])
    party.typesAndValues.push(
      new AttributeTypeAndValue({ type: oid.commonName, value: new Utf8String({ value: commonName }) }),
    );
  certificate.notBefore = new Time({ type: 0, value: new Date(from) });
  certificate.notAfter = new Time({ type: 0, value: new Date(until) });
  const digitalSignature = new BitString({ valueHex: bytes(Uint8Array.of(0x80)), unusedBits: 7 });
  certificate.extensions = [
    subjectAltName(names),
    new Extension({ extnID: oid.keyUsage, critical: true, extnValue: digitalSignature.toBER() }),
    ...extensions,
  ];
  await certificate.subjectPublicKeyInfo.importKey(keys.publicKey);
  await certificate.sign(keys.privateKey, keyKinds[usualKind].hash);
  const der = Buffer.from(certificate.toSchema(true).toBER());
  return { cert: new X509Certificate(der).toString(), key: pemOf(keys.privateKey) };
}

/** How renewal information names a certificate (RFC 9773, section 4.1); undefined when its issuer is not identified by a key. */
export function renewalIdentifier(chain: string): string | undefined {
  const der = new X509Certificate(chain).raw;
  const certificate = new Certificate({ schema: fromBER(bytes(der)).result });
  const issuer = certificate.extensions?.find(({ extnID }) => extnID === oid.authorityKeyIdentifier)?.parsedValue;
  if (!(issuer instanceof AuthorityKeyIdentifier) || issuer.keyIdentifier === undefined) return undefined;
  const parts = [issuer.keyIdentifier, certificate.serialNumber].map(({ valueBlock }) =>
    Buffer.from(valueBlock.valueHexView).toString('base64url'),
  );
  return parts.join('.');
}

function subjectAltName(names: readonly string[]): Extension {
  const general = names.map((name) =>
    identifierOf(name).type === 'dns'
      ? new GeneralName({ type: 2, value: name })
      : new GeneralName({ type: 7, value: new OctetString({ valueHex: bytes(addressBytes(name)) }) }),
  );
  return new Extension({
    extnID: oid.subjectAltName,
    extnValue: new GeneralNames({ names: general }).toSchema().toBER(),
  });
}

function newKeys(kind: KeyKind): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(keyKinds[kind].algorithm, true, ['sign', 'verify']);
}

const pemOf = (key: CryptoKey): string =>
  KeyObject.from(key as never).export({ type: 'pkcs8', format: 'pem' }) as string;

/** The library takes buffers that hold nothing else. */
const bytes = (of: Uint8Array): ArrayBuffer => Uint8Array.from(of).buffer;
