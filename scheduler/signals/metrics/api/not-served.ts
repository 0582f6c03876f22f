import { refusalsOf } from '@slipway/auth/kit';

import { unsupported } from './errors.ts';
import { type CloudWatchOperations, mayAny } from './operation.ts';
import { nothing, operationSchema, struct } from './shapes.ts';

const alarms = 'There are no alarms yet. Ask GetMetricData for the same metrics.';
const anomalies = 'Nothing here learns what is usual. Compare with a fixed value.';
const insights = 'Put what you want to count as a metric of its own.';
const streams = 'Metrics stay in this installation. Read them with GetMetricData, or let Prometheus read /metrics.';
const images = 'Nothing here draws. Read the numbers with GetMetricData.';

/** Operations of the API that are not served, and what to do instead. */
export const notServed: Readonly<Record<string, string>> = {
  PutMetricAlarm: alarms,
  PutCompositeAlarm: alarms,
  DeleteAlarms: alarms,
  DescribeAlarms: alarms,
  DescribeAlarmsForMetric: alarms,
  DescribeAlarmHistory: alarms,
  DescribeAlarmContributors: alarms,
  EnableAlarmActions: alarms,
  DisableAlarmActions: alarms,
  SetAlarmState: alarms,
  PutAlarmMuteRule: alarms,
  GetAlarmMuteRule: alarms,
  ListAlarmMuteRules: alarms,
  DeleteAlarmMuteRule: alarms,
  PutAnomalyDetector: anomalies,
  DescribeAnomalyDetectors: anomalies,
  DeleteAnomalyDetector: anomalies,
  PutInsightRule: insights,
  PutManagedInsightRules: insights,
  DescribeInsightRules: insights,
  ListManagedInsightRules: insights,
  EnableInsightRules: insights,
  DisableInsightRules: insights,
  DeleteInsightRules: insights,
  GetInsightRuleReport: insights,
  PutMetricStream: streams,
  GetMetricStream: streams,
  ListMetricStreams: streams,
  StartMetricStreams: streams,
  StopMetricStreams: streams,
  DeleteMetricStream: streams,
  GetOTelEnrichment: streams,
  StartOTelEnrichment: streams,
  StopOTelEnrichment: streams,
  GetMetricWidgetImage: images,
};

export const notServedOperations: CloudWatchOperations = refusalsOf(notServed, {
  operationSchema,
  inputOf: (name) => struct(`${name}Input`, {}),
  nothing,
  mayList: (action) => mayAny(action),
  unsupported,
});
