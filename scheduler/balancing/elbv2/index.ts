/** The API of Elastic Load Balancing, version 2015-12-01. */
export { createElbv2, type Elbv2Options, elbv2Schemas } from './create-elbv2.ts';
export { type BalancerLine, createOverview } from './overview.ts';
export { readArn } from './names.ts';
export type { BalancerState, InstanceDirectory, Traffic } from './ports.ts';
