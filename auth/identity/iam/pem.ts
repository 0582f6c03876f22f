import { X509Certificate } from 'node:crypto';
import { AwsError } from '../../contract/index.ts';

const block = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/**
 * Reads certificates in PEM, one after the other, and nothing else between them.
 * @throws AwsError `MalformedCertificateException`
 */
export function readCertificates(text: string): X509Certificate[] {
  const blocks = text.match(block) ?? [];
  const rest = text.replace(block, '').trim();
  try {
    if (blocks.length === 0 || rest !== '') throw new RangeError('not PEM');
    return blocks.map((each) => new X509Certificate(each));
  } catch {
    throw malformed('Unable to parse certificate. Please ensure the certificate is in PEM format.');
  }
}

/** One certificate, in PEM. @throws AwsError `MalformedCertificateException` */
export function readCertificate(text: string): X509Certificate {
  const [certificate, ...more] = readCertificates(text);
  if (certificate === undefined || more.length > 0)
    throw malformed('The certificate body has more than one certificate; the others belong into the chain.');
  return certificate;
}

const malformed = (message: string): AwsError => new AwsError('MalformedCertificateException', message);
