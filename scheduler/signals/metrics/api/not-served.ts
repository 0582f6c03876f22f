import { refusalsOf } from '@slipway/auth/kit';

import { unsupported } from './errors.ts';
import { type CloudWatchOperations, mayAny } from './operation.ts';
import { nothing, operationSchema, struct } from './shapes.ts';

const contributors = 'An alarm looks at one series. Describe the alarm itself.';
const mutes = 'Switch actions of alarms off with DisableAlarmActions.';
const anomalies = 'Nothing here learns what is usual. Compare with a fixed value.';
const insights = 'Put what you want to count as a metric of its own.';
const streams = 'Metrics stay in this installation. Read them with GetMetricData, or let Prometheus read /metrics.';
const images = 'Nothing here draws. Read the numbers with GetMetricData.';

/** Operations of the API that are not served, and what to do instead. */
export const notServed: Readonly<Record<string, string>> = {
  DescribeAlarmContributors: contributors,
  PutAlarmMuteRule: mutes,
  GetAlarmMuteRule: mutes,
  ListAlarmMuteRules: mutes,
  DeleteAlarmMuteRule: mutes,
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
