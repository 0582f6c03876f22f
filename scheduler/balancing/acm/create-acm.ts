import { awsJson, type Constraints, defineService, type ServiceDefinition } from '@slipway/auth/contract';
import { bindAll, createSigning, Pages, schemasOf, storedKeys } from '@slipway/auth/kit';
import type { RecordStore } from '@slipway/storage/records';

import { balancingKeys, balancingPartition } from '../records/index.ts';

import { certificateOperations } from './certificates.ts';
import { validation } from './errors.ts';
import { notServedOperations } from './not-served.ts';
import type { AcmApi, AcmOperations } from './operation.ts';
import { requestOperations } from './requests.ts';
import { tagOperations } from './tagging.ts';

/** What the API of ACM is made of. */
export interface AcmOptions extends Omit<AcmApi, 'pages'> {
  readonly records: RecordStore;
}

/** The API of ACM: a table of operations for each noun. */
export const acmOperations: AcmOperations = {
  ...certificateOperations,
  ...requestOperations,
  ...tagOperations,
  ...notServedOperations,
};

/** The schemas of the operations, in the place of an SDK client module. */
export const acmSchemas: Readonly<Record<string, unknown>> = schemasOf(acmOperations);

/** Lengths, ranges and enumerations (ACM API reference). */
export const acmConstraints: Constraints = {
  CertificateArn: { min: 20, max: 2048 },
  'ImportCertificateRequest.Certificate': { min: 1, max: 32_768 },
  'ImportCertificateRequest.PrivateKey': { min: 1, max: 5120 },
  'ImportCertificateRequest.CertificateChain': { min: 1, max: 2_097_152 },
  'RequestCertificateRequest.DomainName': { min: 1, max: 253 },
  'RequestCertificateRequest.SubjectAlternativeNames': { min: 1, max: 100 },
  'RequestCertificateRequest.DomainValidationOptions': { min: 1, max: 100 },
  'DomainValidationOption.DomainName': { min: 1, max: 253 },
  'DomainValidationOption.ValidationDomain': { min: 1, max: 253 },
  IdempotencyToken: { min: 1, max: 32, pattern: /^\w+$/ },
  ValidationMethod: { values: ['EMAIL', 'DNS', 'HTTP'] },
  MaxItems: { min: 1, max: 1000, integer: true },
  NextToken: { min: 1, max: 10_000 },
  SortBy: { values: ['CREATED_AT'] },
  SortOrder: { values: ['ASCENDING', 'DESCENDING'] },
  'Filters.exportOption': { values: ['ENABLED', 'DISABLED'] },
  'Filters.managedBy': { values: ['CLOUDFRONT'] },
};

export const acmProtocol = awsJson('1.1', 'CertificateManager');

/** The API of ACM (2015-12-08) as the gateway serves it. */
export function createAcm({ records, ...ports }: AcmOptions): ServiceDefinition {
  const place = { partition: balancingPartition, key: balancingKeys.signingKey };
  const pages = new Pages(createSigning(storedKeys(records, ports.random, place)), {
    usual: 1000,
    most: 1000,
    badSize: (_asked, most) => validation(`MaxItems must be between 1 and ${most}.`),
    badToken: () => validation('The NextToken is not one of this list.'),
  });
  return {
    ...defineService({
      name: 'acm',
      protocol: acmProtocol,
      client: acmSchemas,
      constraints: acmConstraints,
      limits: { needs: (operation) => `acm:${operation}` },
      operations: {},
    }),
    operations: bindAll(acmOperations, { ...ports, pages }),
  };
}
