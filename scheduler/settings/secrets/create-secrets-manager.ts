import { AwsError, awsJson, type Constraints, defineService, type ServiceDefinition } from '@slipway/auth/contract';
import { bindAll, createSigning, Pages, schemasOf, storedKeys } from '@slipway/auth/kit';
import type { RecordStore } from '@slipway/storage/records';

import { invalidParameter } from './errors.ts';
import { listOperations } from './list.ts';
import { notServedOperations } from './not-served.ts';
import type { SecretsApi, SecretsOperations } from './operation.ts';
import { passwordOperations } from './password.ts';
import { policyOperations } from './policies.ts';
import { secretKeys, secretsPartition } from './records.ts';
import { rotationOperations } from './rotate.ts';
import { secretOperations } from './secrets.ts';
import { tagOperations } from './tagging.ts';
import { valueOperations } from './values.ts';
import { versionOperations } from './version-stages.ts';

/** What the API of Secrets Manager is made of. */
export interface SecretsManagerOptions extends Omit<SecretsApi, 'pages'> {
  readonly records: RecordStore;
}

/** The API of Secrets Manager: a table of operations for each noun. */
export const secretsOperations: SecretsOperations = {
  ...secretOperations,
  ...listOperations,
  ...valueOperations,
  ...versionOperations,
  ...rotationOperations,
  ...passwordOperations,
  ...policyOperations,
  ...tagOperations,
  ...notServedOperations,
};

/** The schemas of the operations, in the place of an SDK client module. */
export const secretsSchemas: Readonly<Record<string, unknown>> = schemasOf(secretsOperations);

const label = { min: 1, max: 256 } as const;
const version = { min: 32, max: 64, pattern: /^[^|]*$/ } as const;

/** Lengths, ranges and enumerations (Secrets Manager API reference). */
export const secretsConstraints: Constraints = {
  'CreateSecretRequest.Name': { min: 1, max: 512, pattern: /^[A-Za-z0-9/_+=.@-]+$/ },
  SecretId: { min: 1, max: 2048 },
  SecretIdList: { min: 1, max: 20 },
  'SecretIdList[]': { min: 1, max: 2048 },
  ClientRequestToken: version,
  VersionId: version,
  RemoveFromVersionId: version,
  MoveToVersionId: version,
  VersionStage: label,
  VersionStages: { min: 1, max: 20 },
  'VersionStages[]': label,
  Description: { max: 2048 },
  ResourcePolicy: { min: 1, max: 20_480 },
  MaxResults: { min: 1, max: 100, integer: true },
  NextToken: { min: 1, max: 4096 },
  Filters: { max: 10 },
  'Filter.Key': { values: ['description', 'name', 'tag-key', 'tag-value', 'primary-region', 'owning-service', 'all'] },
  'Filter.Values': { min: 1, max: 10 },
  AutomaticallyAfterDays: { min: 1, max: 1000, integer: true },
  Duration: { min: 2, max: 3, pattern: /^[0-9]+h$/ },
  ScheduleExpression: { min: 1, max: 256, pattern: /^[0-9A-Za-z()#?*\-/, ]+$/ },
  RotationLambdaARN: { max: 2048 },
  SortOrder: { values: ['asc', 'desc'] },
  SortBy: { values: ['created-date', 'last-changed-date', 'name'] },
  PasswordLength: { min: 1, max: 4096, integer: true },
  ExcludeCharacters: { max: 4096 },
};

export const secretsProtocol = awsJson('1.1', 'secretsmanager');

/** The API of Secrets Manager (2017-10-17) as the gateway serves it. */
export function createSecretsManager({ records, ...ports }: SecretsManagerOptions): ServiceDefinition {
  const place = { partition: secretsPartition, key: secretKeys.signingKey };
  const pages = new Pages(createSigning(storedKeys(records, ports.random, place)), {
    usual: 100,
    most: 100,
    badSize: (_asked, most) => invalidParameter(`MaxResults must be between 1 and ${most}.`),
    badToken: () => new AwsError('InvalidNextTokenException', 'The NextToken is not one of this list.'),
  });
  return {
    ...defineService({
      name: 'secretsmanager',
      protocol: secretsProtocol,
      client: secretsSchemas,
      constraints: secretsConstraints,
      limits: { needs: (operation) => `secretsmanager:${operation}` },
      operations: {},
    }),
    operations: bindAll(secretsOperations, { ...ports, pages }),
  };
}
