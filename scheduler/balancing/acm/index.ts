/** The API of AWS Certificate Manager. */
export { type AcmOptions, acmSchemas, createAcm } from './create-acm.ts';
export { readImport } from './x509.ts';
export { CertificateIssuer } from './issuer.ts';
