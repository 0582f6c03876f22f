import {
  awsJson,
  awsQuery,
  type Constraints,
  defineService,
  rpcV2Cbor,
  type ServiceDefinition,
} from '@slipway/auth/contract';
import { bindAll, createSigning, Pages, schemasOf, storedKeys } from '@slipway/auth/kit';

import { accountKeys, accountPartition, type RandomBytes } from '../../../state/index.ts';

import { badToken, errorSchemas, invalid } from './errors.ts';
import { units } from '../store/index.ts';

import { dashboardOperations } from './dashboards.ts';
import { dataOperations } from './get-data.ts';
import { statisticsOperations } from './get-statistics.ts';
import { listOperations } from './list-metrics.ts';
import { notServedOperations } from './not-served.ts';
import type { CloudWatchApi, CloudWatchOperations, OperationsBeside } from './operation.ts';
import { putOperations } from './put-data.ts';

/** What the API of CloudWatch is made of. */
export interface CloudWatchOptions extends Omit<CloudWatchApi, 'pages'> {
  readonly random: RandomBytes;
  /** Operations that other rooms have; they come before those of the same names here. */
  readonly beside: readonly OperationsBeside[];
}

/** The operations on metrics and dashboards: a table for each noun. */
export const cloudWatchOperations: CloudWatchOperations = {
  ...putOperations,
  ...statisticsOperations,
  ...dataOperations,
  ...listOperations,
  ...dashboardOperations,
  ...notServedOperations,
};

/** The schemas of the operations and errors, in the place of an SDK client module. */
export const cloudWatchSchemas: Readonly<Record<string, unknown>> = {
  ...schemasOf(cloudWatchOperations),
  ...errorSchemas,
};

const name = { min: 1, max: 255 } as const;

/** Lengths, ranges and enumerations (CloudWatch API reference). */
export const cloudWatchConstraints: Constraints = {
  Namespace: { ...name, pattern: /^[^:]/ },
  MetricName: name,
  'Dimension.Name': name,
  'Dimension.Value': { min: 1, max: 1024 },
  'DimensionFilter.Name': name,
  'DimensionFilter.Value': { min: 1, max: 1024 },
  'ListMetricsInput.Dimensions': { max: 10 },
  'GetMetricStatisticsInput.Dimensions': { max: 30 },
  'Metric.Dimensions': { max: 30 },
  'GetMetricStatisticsInput.Statistics': { min: 1, max: 5 },
  'Statistics[]': { values: ['SampleCount', 'Average', 'Sum', 'Minimum', 'Maximum'] },
  'GetMetricStatisticsInput.ExtendedStatistics': { min: 1, max: 10 },
  ScanBy: { values: ['TimestampDescending', 'TimestampAscending'] },
  MaxDatapoints: { min: 1, max: 100_800, integer: true },
  'MetricDataQuery.Id': name,
  'MetricDataQuery.Expression': { min: 1, max: 2048 },
  'MetricDataQuery.Label': { max: 500 },
  RecentlyActive: { values: ['PT3H'] },
  Unit: { values: units },
  OwningAccount: name,
  AccountId: name,
};

/** JSON as boto3's, CBOR as the SDKs', Query as Terraform's clients speak it. */
export const cloudWatchProtocols = [
  awsJson('1.0', 'GraniteServiceVersion20100801'),
  awsQuery('2010-08-01', 'http://monitoring.amazonaws.com/doc/2010-08-01/'),
  rpcV2Cbor('GraniteServiceVersion20100801'),
];

/** The API of CloudWatch (2010-08-01, signing name `monitoring`) as the gateway serves it. */
export function createCloudWatch({ random, beside, ...ports }: CloudWatchOptions): ServiceDefinition {
  const pages = new Pages(
    createSigning(storedKeys(ports.records, random, { partition: accountPartition, key: accountKeys.signingKey })),
    { usual: 500, most: 500, badSize: (_, most) => invalid(`A page has 1 to ${most} results.`), badToken },
  );
  return {
    ...defineService({
      name: 'monitoring',
      protocol: cloudWatchProtocols,
      client: Object.assign({}, cloudWatchSchemas, ...beside.map(({ schemas }) => schemas)) as typeof cloudWatchSchemas,
      constraints: Object.assign(
        {},
        cloudWatchConstraints,
        ...beside.map(({ constraints }) => constraints),
      ) as Constraints,
      limits: { needs: (operation) => `cloudwatch:${operation}` },
      operations: {},
    }),
    operations: Object.assign(
      bindAll(cloudWatchOperations, { ...ports, pages }),
      ...beside.map(({ operations }) => operations),
    ) as ServiceDefinition['operations'],
  };
}
