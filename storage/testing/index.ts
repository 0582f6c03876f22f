export { freePort } from './free-port.ts';
export { findGoProgram } from './go-program.ts';
export { type Counted, withCounters } from './growth.ts';
export { isRunning } from './is-running.ts';
export { patientClock } from './patient-clock.ts';
