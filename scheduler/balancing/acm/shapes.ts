/** Shapes of ACM's API (2015-12-08), written by hand as ELB's are. */
import { required, secret, type Shape, type ShapeValue, shapesOf, simpleShapes } from '@slipway/auth/kit';

export { required, secret } from '@slipway/auth/kit';
export type Of<S> = ShapeValue<S>;

export const { text, number, flag, time, blob } = simpleShapes;
export const { list, struct, operationSchema } = shapesOf({ namespace: 'com.amazonaws.acm' });

/** An answer without members. */
export const nothing: Shape<object> = struct('Unit', {});
export const texts: Shape<readonly string[]> = list(text);
export const tags = list(struct('Tag', { Key: required(text), Value: text }));

/** The one member of most requests. */
export const byArn = { CertificateArn: required(text) } as const;

export const importInput = struct('ImportCertificateRequest', {
  CertificateArn: text,
  Certificate: required(blob),
  PrivateKey: required(secret(blob)),
  CertificateChain: blob,
  Tags: tags,
});

const validations = list(
  struct('DomainValidation', {
    DomainName: text,
    ValidationDomain: text,
    ValidationStatus: text,
    ValidationMethod: text,
  }),
);

export const detail = struct('CertificateDetail', {
  CertificateArn: text,
  DomainName: text,
  SubjectAlternativeNames: texts,
  Serial: text,
  Subject: text,
  Issuer: text,
  CreatedAt: time,
  ImportedAt: time,
  IssuedAt: time,
  Status: text,
  FailureReason: text,
  NotBefore: time,
  NotAfter: time,
  KeyAlgorithm: text,
  SignatureAlgorithm: text,
  InUseBy: texts,
  Type: text,
  KeyUsages: list(struct('KeyUsage', { Name: text })),
  ExtendedKeyUsages: list(struct('ExtendedKeyUsage', { Name: text, OID: text })),
  DomainValidationOptions: validations,
  RenewalSummary: struct('RenewalSummary', {
    RenewalStatus: text,
    DomainValidationOptions: validations,
    UpdatedAt: time,
  }),
  RenewalEligibility: text,
  Options: struct('CertificateOptions', { CertificateTransparencyLoggingPreference: text, Export: text }),
});

export const summary = struct('CertificateSummary', {
  CertificateArn: text,
  DomainName: text,
  SubjectAlternativeNameSummaries: texts,
  HasAdditionalSubjectAlternativeNames: flag,
  Status: text,
  Type: text,
  KeyAlgorithm: text,
  KeyUsages: texts,
  ExtendedKeyUsages: texts,
  ExportOption: text,
  InUse: flag,
  RenewalEligibility: text,
  NotBefore: time,
  NotAfter: time,
  CreatedAt: time,
  IssuedAt: time,
  ImportedAt: time,
});

export const filters = struct('Filters', {
  extendedKeyUsage: texts,
  keyUsage: texts,
  keyTypes: texts,
  exportOption: text,
  managedBy: text,
});
