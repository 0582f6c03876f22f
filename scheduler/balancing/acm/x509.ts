import { createPrivateKey, type KeyObject, sign, verify, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';

import { readPemCertificates } from '@slipway/auth/kit';

import type { CertificateRecord } from '../records/index.ts';

import { validation } from './errors.ts';
import { isVersion3, keyUsagesOf } from './key-usages.ts';

/** What ImportCertificate is given, as text. */
interface Given {
  readonly certificate: string;
  readonly privateKey: string;
  readonly chain: string | undefined;
}

/** A certificate with its key and those that vouch for it, checked, each as PEM of one form. */
export interface Imported {
  readonly certificate: string;
  readonly chain: string | undefined;
  /** PKCS #8. */
  readonly privateKey: string;
  readonly details: Omit<CertificateRecord, 'id' | 'tags' | 'createdAt' | 'importedAt'>;
}

/** No client follows longer chains, and each certificate of a listener is sent with every handshake. */
const longestChain = 10;

/**
 * Reads a certificate as ACM takes it (ACM user guide, "Prerequisites for importing certificates"): in force, with the key that fits it
 * and the chain that leads to its authority.
 * @param now milliseconds since the epoch
 * @throws ValidationException in ACM's words
 */
export function readImport({ certificate, privateKey, chain }: Given, now: number): Imported {
  const [leaf, ...more] = readPemCertificates(certificate) ?? [];
  if (leaf === undefined)
    throw validation('Unable to parse certificate. Please ensure the certificate is in PEM format.');
  if (more.length > 0)
    throw validation(
      'The certificate field contains more than one certificate. You can specify only one certificate in this field.',
    );
  if (!isVersion3(leaf.raw)) throw validation('The certificate is not an X.509 version 3 certificate.');
  const authorities = chain === undefined ? [] : readPemCertificates(chain);
  if (authorities === undefined) throw validation('The certificate chain provided is not in a valid PEM format.');
  if (authorities.length > longestChain)
    throw validation(`The certificate chain has more than ${longestChain} certificates.`);
  const key = readKey(privateKey);
  const keyAlgorithm = keyAlgorithmOf(leaf);
  if (!fits(leaf, key)) throw validation('The private key does not match the certificate.');
  if (now < Number(leaf.validFromDate))
    throw validation(
      `The certificate is not in effect yet, is not valid. It begins on ${leaf.validFromDate.toISOString()}.`,
    );
  if (now >= Number(leaf.validToDate))
    throw validation(`The certificate has expired, is not valid. It ended on ${leaf.validToDate.toISOString()}.`);
  checkChain(leaf, authorities, now);
  const pem = leaf.toString();
  const pems = authorities.map(String);
  const keyPem = key.export({ type: 'pkcs8', format: 'pem' }) as string;
  try {
    // As the engines do: what they could not serve must not keep them from everything else.
    createSecureContext({ cert: [pem, ...pems].join(''), key: keyPem });
  } catch (error) {
    throw validation(`The certificate cannot be served by TLS: ${(error as Error).message}`);
  }
  return {
    certificate: pem,
    chain: pems.length === 0 ? undefined : pems.join(''),
    privateKey: keyPem,
    details: { ...detailsOf(leaf), keyAlgorithm },
  };
}

/** One private key without a passphrase, with the block of curve parameters that OpenSSL writes before it. */
const keyBlock =
  /^\s*(?:-----BEGIN EC PARAMETERS-----[A-Za-z0-9+/=\s]+-----END EC PARAMETERS-----\s*)?-----BEGIN ((?:RSA |EC )?PRIVATE KEY)-----[A-Za-z0-9+/=\s]+-----END \1-----\s*$/;

function readKey(pem: string): KeyObject {
  if (/^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type:.*ENCRYPTED/m.test(pem))
    throw validation('Your private key should not be encrypted.');
  try {
    if (keyBlock.test(pem)) return createPrivateKey(pem);
  } catch {
    // Said below: what OpenSSL says of a key may hold parts of it.
  }
  throw validation('The private key is not supported. It must be one private key in PEM format.');
}

const curves: Readonly<Record<string, string>> = {
  prime256v1: 'EC_prime256v1',
  secp384r1: 'EC_secp384r1',
  secp521r1: 'EC_secp521r1',
};

function keyAlgorithmOf({ publicKey: { asymmetricKeyType, asymmetricKeyDetails } }: X509Certificate): string {
  const { modulusLength = 0, namedCurve = '' } = asymmetricKeyDetails ?? {};
  if (asymmetricKeyType === 'rsa') {
    if ([2048, 3072, 4096].includes(modulusLength)) return `RSA_${modulusLength}`;
    throw validation(
      'The private key length is not supported for key algorithm. Use RSA with 2048, 3072 or 4096 bits: listeners serve no shorter keys.',
    );
  }
  const curve = asymmetricKeyType === 'ec' && Object.hasOwn(curves, namedCurve) ? curves[namedCurve] : undefined;
  if (curve === undefined)
    throw validation('The private key is not supported. Use RSA, or ECDSA with P-256, P-384 or P-521.');
  return curve;
}

/** Whether a key is a certificate's, its private part included. */
function fits(certificate: X509Certificate, key: KeyObject): boolean {
  const sample = Buffer.from('slipway');
  try {
    return (
      certificate.checkPrivateKey(key) && verify('sha256', sample, certificate.publicKey, sign('sha256', sample, key))
    );
  } catch {
    return false;
  }
}

/** Each certificate must directly certify the one before; one without a chain must have signed itself. */
function checkChain(leaf: X509Certificate, authorities: readonly X509Certificate[], now: number): void {
  if (authorities.length === 0) {
    if (isSelfSigned(leaf)) return;
    throw validation(
      'Provided certificate is not a valid self signed. Please provide either a valid self-signed certificate or certificate chain.',
    );
  }
  let below = leaf;
  for (const authority of authorities) {
    const isInForce = now >= Number(authority.validFromDate) && now < Number(authority.validToDate);
    if (!authority.ca || !isInForce || !isSignedBy(below, authority))
      throw validation('Could not validate the certificate with the certificate chain.');
    below = authority;
  }
}

/** Whatever it may be used for: a server's own certificate need not be one that signs others. */
function isSelfSigned(leaf: X509Certificate): boolean {
  try {
    return leaf.subject === leaf.issuer && leaf.verify(leaf.publicKey);
  } catch {
    return false;
  }
}

function isSignedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  try {
    return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
  } catch {
    return false;
  }
}

/** Purposes (RFC 5280, section 4.2.1.12) in ACM's names. */
const purposes: Readonly<Record<string, string>> = {
  '1.3.6.1.5.5.7.3.1': 'TLS_WEB_SERVER_AUTHENTICATION',
  '1.3.6.1.5.5.7.3.2': 'TLS_WEB_CLIENT_AUTHENTICATION',
  '1.3.6.1.5.5.7.3.3': 'CODE_SIGNING',
  '1.3.6.1.5.5.7.3.4': 'EMAIL_PROTECTION',
  '1.3.6.1.5.5.7.3.5': 'IPSEC_END_SYSTEM',
  '1.3.6.1.5.5.7.3.6': 'IPSEC_TUNNEL',
  '1.3.6.1.5.5.7.3.7': 'IPSEC_USER',
  '1.3.6.1.5.5.7.3.8': 'TIME_STAMPING',
  '1.3.6.1.5.5.7.3.9': 'OCSP_SIGNING',
  '2.5.29.37.0': 'ANY',
};

function detailsOf(leaf: X509Certificate): Omit<Imported['details'], 'keyAlgorithm'> {
  const { subject, issuer } = leaf.toLegacyObject();
  const commonName = last(subject?.CN);
  const names = [...new Set([...(commonName === undefined ? [] : [commonName]), ...alternativeNames(leaf)])];
  const [domainName] = names;
  if (domainName === undefined) throw validation('The certificate has neither a common name nor alternative names.');
  return {
    domainName,
    names,
    fingerprint: leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
    serial: (leaf.serialNumber.toLowerCase().match(/../g) ?? []).join(':'),
    subject: shown(leaf.subject),
    issuer: last(issuer?.O) ?? last(issuer?.CN) ?? shown(leaf.issuer),
    notBefore: Number(leaf.validFromDate),
    notAfter: Number(leaf.validToDate),
    signatureAlgorithm: signatureName(leaf.signatureAlgorithm ?? ''),
    keyUsages: keyUsagesOf(leaf.raw),
    extendedKeyUsages: (leaf.keyUsage ?? []).map((oid) => ({ name: purposes[oid] ?? 'CUSTOM', oid })),
  };
}

/** A name in one line. Certificates of today have alternative names and an empty subject, for which Node has no text. */
const shown = (name: string | undefined): string => (name ?? '').replaceAll('\n', ',');

const last = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : value?.at(-1);

/** Names and addresses as Node writes them: `DNS:a, IP Address:10.0.0.1`, in quotes where they hold marks of its own. */
function alternativeNames({ subjectAltName = '' }: X509Certificate): readonly string[] {
  return [...subjectAltName.matchAll(/(?:^|, )(?:DNS|IP Address):(?:"((?:[^"\\]|\\.)*)"|([^,]*))/g)].flatMap(
    ([, quoted, plain]) => quoted ?? plain ?? [],
  );
}

/** `sha256WithRSAEncryption` and `ecdsa-with-SHA256` as ACM writes them: `SHA256WITHRSA`, `SHA256WITHECDSA`. */
function signatureName(name: string): string {
  const [, rsaHash] = /^(sha\d+)WithRSAEncryption$/i.exec(name) ?? [];
  const [, ecHash] = /^ecdsa-with-(sha\d+)$/i.exec(name) ?? [];
  if (rsaHash !== undefined) return `${rsaHash.toUpperCase()}WITHRSA`;
  return ecHash === undefined ? name.toUpperCase() : `${ecHash.toUpperCase()}WITHECDSA`;
}
