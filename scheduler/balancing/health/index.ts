/** The health of targets: what checks find, and what follows from it. */
export { type CheckerOptions, HealthChecker } from './checker.ts';
export { networkProbe, type Probe } from './probe.ts';
export { afterCheck, type CheckResult, matches, noProgress, type Progress } from './state.ts';
