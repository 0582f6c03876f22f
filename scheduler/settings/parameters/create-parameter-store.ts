import { AwsError, awsJson, type Constraints, defineService, type ServiceDefinition } from '@slipway/auth/contract';
import { bindAll, createSigning, Pages, schemasOf, storedKeys } from '@slipway/auth/kit';
import type { RecordStore } from '@slipway/storage/records';

import type { RandomBytes } from '../../state/index.ts';

import { describeOperations } from './describe.ts';
import { validation } from './errors.ts';
import { labelOperations } from './labels.ts';
import { notServedOperations } from './not-served.ts';
import type { ParametersApi, ParametersOperations } from './operation.ts';
import { putOperations } from './put.ts';
import { readOperations } from './read.ts';
import { parameterKeys, parametersPartition } from './records.ts';
import { tagOperations } from './tagging.ts';

/** What the API of Parameter Store is made of. */
export interface ParameterStoreOptions extends Omit<ParametersApi, 'pages'> {
  readonly records: RecordStore;
  readonly random: RandomBytes;
  /** Operations of Systems Manager's API that are other rooms' own, with their shapes and what is known of those. */
  readonly beside?: readonly {
    readonly schemas: Readonly<Record<string, unknown>>;
    readonly constraints: Constraints;
    readonly operations: ServiceDefinition['operations'];
  }[];
}

/** The API of Parameter Store: a table of operations for each noun. */
export const parametersOperations: ParametersOperations = {
  ...putOperations,
  ...readOperations,
  ...describeOperations,
  ...labelOperations,
  ...tagOperations,
  ...notServedOperations,
};

/** The schemas of the operations, in the place of an SDK client module. */
export const parametersSchemas: Readonly<Record<string, unknown>> = schemasOf(parametersOperations);

const name = { min: 1, max: 2048 } as const;

/** Lengths, ranges and enumerations (Systems Manager API reference). */
export const parametersConstraints: Constraints = {
  Name: name,
  Path: name,
  Names: { min: 1, max: 10 },
  'Names[]': name,
  Description: { max: 1024 },
  Type: { values: ['String', 'StringList', 'SecureString'] },
  Tier: { values: ['Standard', 'Advanced', 'Intelligent-Tiering'] },
  KeyId: { min: 1, max: 256, pattern: /^[a-zA-Z0-9:/_-]+$/ },
  AllowedPattern: { max: 1024 },
  DataType: { max: 128 },
  ParameterVersion: { min: 1, integer: true },
  Labels: { min: 1, max: 10 },
  'Labels[]': { min: 1, max: 100 },
  ParameterFilters: { max: 20 },
  'ParameterStringFilter.Key': { min: 1, max: 132 },
  'ParameterStringFilter.Values': { min: 1, max: 50 },
  'ParametersFilter.Key': { values: ['Name', 'Type', 'KeyId'] },
  'ParametersFilter.Values': { min: 1, max: 50 },
  Filters: { max: 20 },
  MaxResults: { min: 1, max: 50, integer: true },
  NextToken: { max: 4096 },
  ResourceId: { min: 1, max: 2048 },
  'AddTagsToResourceRequest.Tags': { max: 1000 },
  'PutParameterRequest.Tags': { max: 1000 },
};

export const parametersProtocol = awsJson('1.1', 'AmazonSSM');

/** The API of Parameter Store (Systems Manager 2014-11-06) as the gateway serves it. */
export function createParameterStore({
  records,
  random,
  beside = [],
  ...ports
}: ParameterStoreOptions): ServiceDefinition {
  const place = { partition: parametersPartition, key: parameterKeys.signingKey };
  const pages = new Pages(createSigning(storedKeys(records, random, place)), {
    usual: 50,
    most: 50,
    badSize: (_asked, most) => validation(`MaxResults must be between 1 and ${most}.`),
    badToken: () => new AwsError('InvalidNextToken', 'The NextToken is not one of this list.'),
  });
  return {
    ...defineService({
      name: 'ssm',
      protocol: parametersProtocol,
      client: Object.assign({}, parametersSchemas, ...beside.map(({ schemas }) => schemas)) as typeof parametersSchemas,
      constraints: Object.assign(
        {},
        parametersConstraints,
        ...beside.map(({ constraints }) => constraints),
      ) as Constraints,
      limits: { needs: (operation) => `ssm:${operation}` },
      operations: {},
    }),
    operations: Object.assign(
      bindAll(parametersOperations, { ...ports, pages }),
      ...beside.map(({ operations }) => operations),
    ) as ServiceDefinition['operations'],
  };
}
