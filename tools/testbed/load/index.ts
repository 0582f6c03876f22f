/** Load on a load balancer that tells apart everything that can go wrong, and the targets behind it. */
export type { ClientKind } from './clients.ts';
export { type Load, type LoadOptions, startLoad } from './load.ts';
export { type LoadsOnHost, startLoadsOn } from './on-host.ts';
export { describeReport, type FailedRequest, type FailureClass, failureClasses, type Report } from './report.ts';
export { type Behaviour, type RunningTarget, startTarget } from './target.ts';
export { startWitness, type Witness } from './witness.ts';
