import type { X509Certificate } from 'node:crypto';
import { AwsError } from '../../contract/index.ts';
import { readPemCertificates } from '../../kit/index.ts';

/**
 * Reads certificates in PEM, one after the other, and nothing else between them.
 * @throws AwsError `MalformedCertificateException`
 */
export function readCertificates(text: string): readonly X509Certificate[] {
  const certificates = readPemCertificates(text);
  if (certificates === undefined)
    throw malformed('Unable to parse certificate. Please ensure the certificate is in PEM format.');
  return certificates;
}

/** One certificate, in PEM. @throws AwsError `MalformedCertificateException` */
export function readCertificate(text: string): X509Certificate {
  const [certificate, ...more] = readCertificates(text);
  if (certificate === undefined || more.length > 0)
    throw malformed('The certificate body has more than one certificate; the others belong into the chain.');
  return certificate;
}

const malformed = (message: string): AwsError => new AwsError('MalformedCertificateException', message);
