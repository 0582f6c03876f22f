/** The API of AWS Certificate Manager. */
export { type AcmOptions, acmSchemas, createAcm } from './create-acm.ts';
export { CertificateIssuer } from './issuer.ts';
