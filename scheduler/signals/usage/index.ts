export { telemetryRows } from './claims.ts';
export { UsageCollector } from './collector.ts';
export { usageGauges } from './gauges.ts';
export { UsageLedger, type UsageSession } from './ledger.ts';
export { readingRows, Readings, type ServiceReadings } from './readings.ts';
export { ReadingsTeller } from './readings-teller.ts';
export type { InstanceName, SaidOfContainer } from './records.ts';
export { insightsOf, insightsValues } from './samples.ts';
export { UsageTeller, type UsageOptions } from './teller.ts';
