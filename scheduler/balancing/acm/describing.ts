import { type Balancing, certificateArn, type CertificateRecord, type RequestedRecord } from '../records/index.ts';

import type { Held, Scene } from './operation.ts';
import type { detail, filters, Of, summary } from './shapes.ts';
import { isUsed, usersOf } from './users.ts';

/** Names of a certificate that a list shows. */
const shownNames = 100;

const requestStatus = {
  pending: 'PENDING_VALIDATION',
  failed: 'FAILED',
  'timed-out': 'VALIDATION_TIMED_OUT',
  // Its certificate says more.
  issued: 'ISSUED',
} as const satisfies Record<RequestedRecord['state'], string>;

function statusOf({ certificate, requested }: Held, now: number): string {
  if (certificate !== undefined) return now >= certificate.notAfter ? 'EXPIRED' : 'ISSUED';
  return requestStatus[requested?.state ?? 'pending'];
}

/** What ACM has of each certificate in its answers: as they are described, and in lists. */
function common(scene: Scene, balancing: Balancing, held: Held) {
  const { id, certificate, requested } = held;
  const one = requested ?? (certificate as CertificateRecord);
  return {
    CertificateArn: certificateArn(scene, id),
    DomainName: one.domainName,
    Status: statusOf(held, Number(scene.call.time)),
    Type: requested === undefined ? 'IMPORTED' : 'AMAZON_ISSUED',
    KeyAlgorithm: one.keyAlgorithm,
    RenewalEligibility:
      requested !== undefined && certificate !== undefined && isUsed(scene, balancing, id) ? 'ELIGIBLE' : 'INELIGIBLE',
    CreatedAt: new Date(one.createdAt),
    ...(certificate === undefined
      ? {}
      : {
          NotBefore: new Date(certificate.notBefore),
          NotAfter: new Date(certificate.notAfter),
          [requested === undefined ? 'ImportedAt' : 'IssuedAt']: new Date(certificate.importedAt),
        }),
  };
}

/** A certificate as DescribeCertificate has it. */
export function detailOf(scene: Scene, balancing: Balancing, held: Held): Of<typeof detail> {
  const { id, certificate, requested } = held;
  return {
    ...common(scene, balancing, held),
    SubjectAlternativeNames: (requested ?? (certificate as CertificateRecord)).names,
    ...(certificate === undefined
      ? {}
      : {
          Serial: certificate.serial,
          Subject: certificate.subject,
          Issuer: certificate.issuer,
          SignatureAlgorithm: certificate.signatureAlgorithm,
        }),
    InUseBy: usersOf(scene, balancing, id),
    KeyUsages: (certificate?.keyUsages ?? []).map((name) => ({ Name: name })),
    ExtendedKeyUsages: (certificate?.extendedKeyUsages ?? []).map(({ name, oid }) => ({ Name: name, OID: oid })),
    Options: {
      CertificateTransparencyLoggingPreference: requested === undefined ? 'DISABLED' : 'ENABLED',
      Export: 'DISABLED',
    },
    ...(requested === undefined ? {} : requestDetail(requested, certificate, Number(scene.call.time))),
  };
}

/** How the request for a certificate stands, and its renewal. */
function requestDetail(requested: RequestedRecord, certificate: CertificateRecord | undefined, now: number) {
  const { state, failure, renewal, names } = requested;
  const validations = (status: string) =>
    names.map((name) => ({
      DomainName: name,
      ValidationDomain: name,
      ValidationStatus: status,
      ValidationMethod: 'HTTP',
    }));
  const first = { pending: 'PENDING_VALIDATION', issued: 'SUCCESS', failed: 'FAILED', 'timed-out': 'FAILED' }[state];
  const isOver = certificate !== undefined && now >= certificate.notAfter;
  const status = renewal === undefined || renewal.status === 'SUCCESS' || !isOver ? renewal?.status : 'FAILED';
  return {
    DomainValidationOptions: validations(first),
    ...(failure === undefined ? {} : { FailureReason: failure }),
    ...(renewal === undefined || status === undefined
      ? {}
      : {
          RenewalSummary: {
            RenewalStatus: status,
            DomainValidationOptions: validations(
              {
                SUCCESS: 'SUCCESS',
                FAILED: 'FAILED',
                PENDING_AUTO_RENEWAL: 'SUCCESS',
                PENDING_VALIDATION: 'PENDING_VALIDATION',
              }[status],
            ),
            UpdatedAt: new Date(renewal.updatedAt),
          },
        }),
  };
}

/** A certificate as lists have it. */
export function summaryOf(scene: Scene, balancing: Balancing, held: Held): Of<typeof summary> {
  const { id, certificate, requested } = held;
  const { names } = requested ?? (certificate as CertificateRecord);
  return {
    ...common(scene, balancing, held),
    SubjectAlternativeNameSummaries: names.slice(0, shownNames),
    HasAdditionalSubjectAlternativeNames: names.length > shownNames,
    KeyUsages: certificate?.keyUsages ?? [],
    ExtendedKeyUsages: (certificate?.extendedKeyUsages ?? []).map(({ name }) => name),
    ExportOption: 'DISABLED',
    InUse: isUsed(scene, balancing, id),
  };
}

/** Which keys are listed when nobody asks for others (ACM API reference, Filters). */
const usualKeys = ['RSA_1024', 'RSA_2048'];

/** Whether a list holds a certificate: each filter is one of alternatives, and all must hold. */
export function isListed(
  held: Held,
  statuses: readonly string[],
  { keyTypes = usualKeys, keyUsage, extendedKeyUsage, exportOption, managedBy }: Of<typeof filters>,
  now: number,
): boolean {
  const { certificate, requested } = held;
  const { keyAlgorithm } = requested ?? (certificate as CertificateRecord);
  const { keyUsages = [], extendedKeyUsages = [] } = certificate ?? {};
  const has = (wanted: readonly string[] | undefined, given: readonly string[]): boolean =>
    wanted === undefined || wanted.length === 0 || wanted.some((one) => given.includes(one));
  return (
    has(statuses, [statusOf(held, now)]) &&
    has(keyTypes, [keyAlgorithm]) &&
    has(keyUsage, keyUsages.length === 0 ? ['ANY'] : keyUsages) &&
    has(extendedKeyUsage, extendedKeyUsages.length === 0 ? ['NONE'] : extendedKeyUsages.map(({ name }) => name)) &&
    (exportOption === undefined || exportOption === 'DISABLED') &&
    managedBy === undefined
  );
}
