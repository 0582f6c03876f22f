import { X509Certificate } from 'node:crypto';

const block = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/** Certificates in PEM, one after the other and nothing else between them; undefined when the text is anything else. */
export function readPemCertificates(text: string): readonly X509Certificate[] | undefined {
  const blocks = text.match(block) ?? [];
  if (blocks.length === 0 || text.replace(block, '').trim() !== '') return undefined;
  try {
    return blocks.map((each) => new X509Certificate(each));
  } catch {
    return undefined;
  }
}
