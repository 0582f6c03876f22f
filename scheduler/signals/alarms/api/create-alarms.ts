import type { Constraints } from '@slipway/auth/contract';
import { bindAll, createSigning, Pages, schemasOf, storedKeys } from '@slipway/auth/kit';

import { accountKeys, accountPartition, type RandomBytes } from '../../../state/index.ts';
import { AwsError } from '@slipway/auth/contract';
import { invalid, type OperationsBeside } from '../../metrics/index.ts';
import { alarmStates } from '../evaluation/index.ts';
import { actOperations } from './act.ts';
import { describeOperations } from './describe.ts';
import { historyOperations } from './history.ts';
import type { AlarmOperations, AlarmsApi } from './operation.ts';
import { putCompositeOperations } from './put-composite.ts';
import { putMetricOperations } from './put-metric.ts';
import { tagOperations } from './tags.ts';

/** The operations on alarms: a table for each noun. */
export const alarmOperations: AlarmOperations = {
  ...putMetricOperations,
  ...putCompositeOperations,
  ...describeOperations,
  ...actOperations,
  ...historyOperations,
  ...tagOperations,
};

export const alarmSchemas: Readonly<Record<string, unknown>> = schemasOf(alarmOperations);

const name = { min: 1, max: 255 } as const;
const action = { min: 1, max: 1024 } as const;
const types = { values: ['CompositeAlarm', 'MetricAlarm'] };
const whole = { min: 1, integer: true } as const;

/** Lengths, ranges and enumerations (CloudWatch API reference). */
export const alarmConstraints: Constraints = {
  AlarmName: name,
  'AlarmNames[]': name,
  AlarmNames: { max: 100 },
  AlarmNamePrefix: name,
  ChildrenOfAlarmName: name,
  ParentsOfAlarmName: name,
  AlarmDescription: { max: 1024 },
  OKActions: { max: 5 },
  AlarmActions: { max: 5 },
  InsufficientDataActions: { max: 5 },
  'OKActions[]': action,
  'AlarmActions[]': action,
  'InsufficientDataActions[]': action,
  ActionPrefix: action,
  'AlarmTypes[]': types,
  AlarmRule: { min: 1, max: 10_240 },
  Statistic: { values: ['SampleCount', 'Average', 'Sum', 'Minimum', 'Maximum'] },
  'PutMetricAlarmInput.Period': whole,
  EvaluationPeriods: whole,
  DatapointsToAlarm: whole,
  ComparisonOperator: {
    values: [
      'GreaterThanOrEqualToThreshold',
      'GreaterThanThreshold',
      'LessThanThreshold',
      'LessThanOrEqualToThreshold',
      'LessThanLowerOrGreaterThanUpperThreshold',
      'LessThanLowerThreshold',
      'GreaterThanUpperThreshold',
    ],
  },
  EvaluateLowSampleCountPercentile: { values: ['evaluate', 'ignore'] },
  StateValue: { values: [...alarmStates] },
  StateReason: { max: 1023 },
  StateReasonData: { max: 4000 },
  HistoryItemType: {
    values: ['ConfigurationUpdate', 'StateUpdate', 'Action', 'AlarmContributorStateUpdate', 'AlarmContributorAction'],
  },
  'DescribeAlarmHistoryInput.ScanBy': { values: ['TimestampDescending', 'TimestampAscending'] },
  MaxRecords: { min: 1, max: 100, integer: true },
  ResourceARN: { min: 1, max: 1024 },
};

/** What the operations on alarms are made of. */
export interface AlarmsOptions extends Omit<AlarmsApi, 'pages'> {
  readonly random: RandomBytes;
}

/** The operations on alarms, for `createCloudWatch`. */
export function createAlarms({ random, ...ports }: AlarmsOptions): OperationsBeside {
  const pages = new Pages(
    createSigning(storedKeys(ports.records, random, { partition: accountPartition, key: accountKeys.signingKey })),
    {
      usual: 50,
      most: 100,
      badSize: (_, most) => invalid(`A page has 1 to ${most} results.`),
      badToken: () => new AwsError('InvalidNextToken', 'The next token specified is invalid.'),
    },
  );
  return {
    schemas: alarmSchemas,
    operations: bindAll(alarmOperations, { ...ports, pages }),
    constraints: alarmConstraints,
  };
}
