import { refusalsOf } from '@slipway/auth/kit';

import { unsupported } from './errors.ts';
import { type LogsOperations, mayAny } from './operation.ts';
import { nothing, operationSchema, struct } from './shapes.ts';

const subscriptions = 'Name a webhook as the destinationArn of a subscription filter.';
const scheduled =
  'Start queries with StartQuery, from a scheduled task for instance; metric filters and alarms watch what comes.';
const wholeLines = 'Events are kept whole: GetLogRecord answers one with its message.';
const fieldsOfGroups = 'GetLogGroupFields says which fields the events of a log group have.';
const groups = 'List groups with ListLogGroups.';
const tables = 'Queries know no tables but the logs. Write what they need into the lines.';
const indexes = 'Nothing is indexed by field: queries and FilterLogEvents look for words in an index of their own.';
const keys =
  'Events are not encrypted with keys of KMS; encrypt the disk or the bucket that the installation stores in.';
const elsewhere = 'Logs stay in this installation. Read them with FilterLogEvents and write them where you need them.';
const policies = 'Who may do what with logs is said by the policies of users and roles.';
const masking = 'Nothing in logs is masked or looked for. Leave out of log lines what nobody may read.';
const shapesOfLines = 'Lines are kept as they are written.';
const imports = 'Write events with PutLogEvents.';

/** Operations of the API that are not served, and what to do instead. */
export const notServed: Readonly<Record<string, string>> = {
  AssociateKmsKey: keys,
  DisassociateKmsKey: keys,
  PutDestination: subscriptions,
  PutDestinationPolicy: subscriptions,
  DescribeDestinations: subscriptions,
  DeleteDestination: subscriptions,
  GetLogObject: wholeLines,
  GetLogFields: fieldsOfGroups,
  CreateScheduledQuery: scheduled,
  DeleteScheduledQuery: scheduled,
  GetScheduledQuery: scheduled,
  GetScheduledQueryHistory: scheduled,
  ListScheduledQueries: scheduled,
  UpdateScheduledQuery: scheduled,
  CreateLookupTable: tables,
  DeleteLookupTable: tables,
  DescribeLookupTables: tables,
  GetLookupTable: tables,
  UpdateLookupTable: tables,
  PutIndexPolicy: indexes,
  DescribeIndexPolicies: indexes,
  DeleteIndexPolicy: indexes,
  DescribeFieldIndexes: indexes,
  ListAggregateLogGroupSummaries: groups,
  CreateExportTask: elsewhere,
  DescribeExportTasks: elsewhere,
  CancelExportTask: elsewhere,
  CreateDelivery: elsewhere,
  GetDelivery: elsewhere,
  DescribeDeliveries: elsewhere,
  DeleteDelivery: elsewhere,
  UpdateDeliveryConfiguration: elsewhere,
  DescribeConfigurationTemplates: elsewhere,
  PutDeliveryDestination: elsewhere,
  GetDeliveryDestination: elsewhere,
  DescribeDeliveryDestinations: elsewhere,
  DeleteDeliveryDestination: elsewhere,
  PutDeliveryDestinationPolicy: elsewhere,
  GetDeliveryDestinationPolicy: elsewhere,
  DeleteDeliveryDestinationPolicy: elsewhere,
  PutDeliverySource: elsewhere,
  GetDeliverySource: elsewhere,
  DescribeDeliverySources: elsewhere,
  DeleteDeliverySource: elsewhere,
  PutIntegration: elsewhere,
  GetIntegration: elsewhere,
  ListIntegrations: elsewhere,
  DeleteIntegration: elsewhere,
  AssociateSourceToS3TableIntegration: elsewhere,
  DisassociateSourceFromS3TableIntegration: elsewhere,
  ListSourcesForS3TableIntegration: elsewhere,
  CreateImportTask: imports,
  CancelImportTask: imports,
  DescribeImportTasks: imports,
  DescribeImportTaskBatches: imports,
  PutBearerTokenAuthentication: imports,
  PutResourcePolicy: policies,
  DescribeResourcePolicies: policies,
  DeleteResourcePolicy: policies,
  PutAccountPolicy: policies,
  DescribeAccountPolicies: policies,
  DeleteAccountPolicy: policies,
  PutDataProtectionPolicy: masking,
  GetDataProtectionPolicy: masking,
  DeleteDataProtectionPolicy: masking,
  CreateLogAnomalyDetector: masking,
  DeleteLogAnomalyDetector: masking,
  GetLogAnomalyDetector: masking,
  ListLogAnomalyDetectors: masking,
  UpdateLogAnomalyDetector: masking,
  ListAnomalies: masking,
  UpdateAnomaly: masking,
  PutTransformer: shapesOfLines,
  GetTransformer: shapesOfLines,
  DeleteTransformer: shapesOfLines,
  TestTransformer: shapesOfLines,
};

export const notServedOperations: LogsOperations = refusalsOf(notServed, {
  operationSchema,
  inputOf: (name) => struct(`${name}Request`, {}),
  nothing,
  mayList: mayAny,
  unsupported,
});
