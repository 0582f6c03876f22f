/** Metrics: the store of what was measured, and the API of CloudWatch over it. */
export * from './api/index.ts';
export * from './queries/index.ts';
export * from './store/index.ts';
export { everyMinute, putSamples } from './telling.ts';
export { roomGauges } from './room-gauges.ts';
