import { awsJson, type Constraints, defineService, type ServiceDefinition } from '@slipway/auth/contract';
import type { Outbound } from '@slipway/auth/outbound';
import type { Sealer } from '@slipway/auth/tokens';
import { bindAll, createSigning, Pages, schemasOf, storedKeys } from '@slipway/auth/kit';
import type { RecordStore } from '@slipway/storage/records';

import { accountKeys, accountPartition, type RandomBytes } from '../../../state/index.ts';

import { units } from '../../metrics/index.ts';
import { MetricFilters } from '../filters/index.ts';
import { receiverTest, Subscriptions } from '../subscriptions/index.ts';
import { QueryDefinitions } from '../queries/index.ts';

import { invalid } from './errors.ts';
import { readOperations } from './get-events.ts';
import { groupOperations } from './groups.ts';
import { tailOperations } from './live-tail.ts';
import { metricFilterOperations } from './metric-filters.ts';
import { logRecordOperations } from './log-records.ts';
import { notServedOperations } from './not-served.ts';
import type { LogsApi, LogsOperations } from './operation.ts';
import { putOperations } from './put-events.ts';
import { queryOperations } from './queries.ts';
import { queryDefinitionOperations } from './query-definitions.ts';
import { errorSchema, malformedQuery } from './shapes.ts';
import { sizes, streamOperations } from './streams.ts';
import { tagOperations } from './tagging.ts';
import { subscriptionOperations } from './subscription-filters.ts';
import { filterOperations } from './test-filter.ts';

/** What the API of CloudWatch Logs is made of. */
export interface LogsOptions extends Omit<
  LogsApi,
  'pages' | 'sessions' | 'filters' | 'definitions' | 'subscriptions' | 'tell'
> {
  readonly records: RecordStore;
  readonly random: RandomBytes;
  readonly sealer: Sealer;
  readonly outbound: Pick<Outbound, 'fetch' | 'check'>;
}

/** The API of CloudWatch Logs: a table of operations for each noun. */
export const logsOperations: LogsOperations = {
  ...groupOperations,
  ...streamOperations,
  ...putOperations,
  ...readOperations,
  ...tailOperations,
  ...queryOperations,
  ...queryDefinitionOperations,
  ...logRecordOperations,
  ...filterOperations,
  ...metricFilterOperations,
  ...subscriptionOperations,
  ...tagOperations,
  ...notServedOperations,
};

/** The schemas of the operations, in the place of an SDK client module. */
export const logsSchemas: Readonly<Record<string, unknown>> = {
  ...schemasOf(logsOperations),
  // What inputs are refused with, and what ends a session of live tail.
  ...Object.fromEntries(
    ['InvalidParameterException', 'SessionStreamingException', 'SessionTimeoutException'].map((name) => [
      `${name}$`,
      errorSchema(name),
    ]),
  ),
  MalformedQueryException$: malformedQuery,
};

const classes = ['STANDARD', 'INFREQUENT_ACCESS', 'DELIVERY'];
const groupName = { min: 1, max: 512, pattern: /^[.\-_/#A-Za-z0-9]+$/ } as const;
const streamName = { min: 1, max: 512, pattern: /^[^:*]*$/ } as const;
const filterName = { min: 1, max: 512, pattern: /^[^:*]*$/ } as const;
const metricName = { max: 255, pattern: /^[^:*$]*$/ } as const;
const identifier = { min: 1, max: 2048, pattern: /^[\w#+=/:,.@-]*$/ } as const;
const time = { min: 0, max: 9_999_999_999_999, integer: true } as const;
const arn = { min: 1, max: 1011, pattern: /^[\w+=/:,.@#-]*$/ } as const;

/** Lengths, ranges and enumerations (CloudWatch Logs API reference). */
export const logsConstraints: Constraints = {
  logGroupName: groupName,
  logGroupNamePrefix: groupName,
  'DescribeLogGroupsRequest.logGroupNamePattern': { max: 512, pattern: /^[.\-_/#A-Za-z0-9]*$/ },
  'ListLogGroupsRequest.logGroupNamePattern': {
    min: 3,
    max: 129,
    pattern: /^\^?[.\-_/#A-Za-z0-9]{3,24}(\|\^?[.\-_/#A-Za-z0-9]{3,24}){0,4}$/,
  },
  logGroupIdentifier: identifier,
  'DescribeLogGroupsRequest.logGroupIdentifiers': { min: 1, max: 50 },
  'StartLiveTailRequest.logGroupIdentifiers': { min: 1, max: 10 },
  'logGroupIdentifiers[]': identifier,
  logStreamName: streamName,
  logStreamNamePrefix: streamName,
  logStreamNames: { min: 1, max: 100 },
  'logStreamNames[]': streamName,
  logStreamNamePrefixes: { min: 1, max: 100 },
  'logStreamNamePrefixes[]': streamName,
  logGroupClass: { values: classes },
  orderBy: { values: ['LogStreamName', 'LastEventTime'] },
  'DescribeLogGroupsRequest.limit': { min: 1, max: 50, integer: true },
  'DescribeLogStreamsRequest.limit': { min: 1, max: 50, integer: true },
  'ListLogGroupsRequest.limit': { min: 1, max: 1000, integer: true },
  limit: { min: 1, max: 10_000, integer: true },
  nextToken: { min: 1, max: 8192 },
  retentionInDays: { integer: true },
  logEvents: { min: 1, max: 10_000 },
  'InputLogEvent.timestamp': time,
  'InputLogEvent.message': { min: 1 },
  queryString: { max: 10_000 },
  'PutQueryDefinitionRequest.queryString': { min: 1, max: 10_000 },
  queryLanguage: { values: ['CWLI', 'SQL', 'PPL'] },
  queryId: { min: 1, max: 256 },
  queryDefinitionId: { min: 1, max: 256 },
  'PutQueryDefinitionRequest.name': { min: 1, max: 255 },
  queryDefinitionNamePrefix: { min: 1, max: 255 },
  clientToken: { min: 36, max: 128, pattern: /^\S*$/ },
  logGroupNames: { max: 50 },
  'logGroupNames[]': groupName,
  'StartQueryRequest.logGroupIdentifiers': { max: 50 },
  'StartQueryRequest.startTime': { min: 0, integer: true },
  'StartQueryRequest.endTime': { min: 0, integer: true },
  'GetQueryResultsRequest.maxItems': { min: 0, max: 10_000, integer: true },
  'GetQueryResultsRequest.nextToken': { max: 1024 },
  'DescribeQueriesRequest.status': {
    values: ['Scheduled', 'Running', 'Complete', 'Failed', 'Cancelled', 'Timeout', 'Unknown'],
  },
  'ListLogGroupsForQueryRequest.maxResults': { min: 50, max: 500, integer: true },
  maxResults: { min: 1, max: 1000, integer: true },
  'GetLogGroupFieldsRequest.time': { min: 0, max: 9_999_999_999, integer: true },
  logRecordPointer: { min: 1, max: 8192 },
  startTime: time,
  endTime: time,
  filterPattern: { max: 1024 },
  filterName: filterName,
  filterNamePrefix: filterName,
  destinationArn: { min: 1, max: 2048 },
  distribution: { values: ['Random', 'ByLogStream'] },
  'DescribeSubscriptionFiltersRequest.limit': { min: 1, max: 50, integer: true },
  metricTransformations: { min: 1, max: 1 },
  metricName: metricName,
  metricNamespace: metricName,
  'MetricTransformation.metricValue': { max: 100 },
  'MetricTransformation.unit': { values: units },
  'DescribeMetricFiltersRequest.limit': { min: 1, max: 50, integer: true },
  logEventFilterPattern: { max: 1024 },
  logEventMessages: { min: 1, max: 50 },
  'logEventMessages[]': { min: 1 },
  resourceArn: arn,
  'TagResourceRequest.tags': { min: 1, max: 50 },
  'TagLogGroupRequest.tags': { min: 1, max: 50 },
  'CreateLogGroupRequest.tags': { min: 1, max: 50 },
  tagKeys: { max: 50 },
};

export const logsProtocol = awsJson('1.1', 'Logs_20140328');

/** The API of CloudWatch Logs (2014-03-28) as the gateway serves it. */
export function createLogs({ records, random, sealer, ...ports }: LogsOptions): ServiceDefinition {
  const pages = new Pages(
    createSigning(storedKeys(records, random, { partition: accountPartition, key: accountKeys.signingKey })),
    { ...sizes, badToken: () => invalid('The specified nextToken is invalid.') },
  );
  const filters = new MetricFilters({ records, logs: ports.logs });
  const subscriptions = new Subscriptions({ records, random, logs: ports.logs });
  const tell = receiverTest({ records, random, sealer, ...ports });
  const definitions = new QueryDefinitions(records);
  const sessions = new Map<string, number>();
  const api = { ...ports, random, filters, subscriptions, tell, pages, sessions, definitions };
  return {
    ...defineService({
      name: 'logs',
      protocol: logsProtocol,
      client: logsSchemas,
      constraints: logsConstraints,
      limits: { needs: (operation) => `logs:${operation}` },
      operations: {},
    }),
    operations: bindAll(logsOperations, api),
  };
}
