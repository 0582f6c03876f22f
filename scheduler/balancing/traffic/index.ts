/** What the records of load balancing say, told to engines; and what engines say of it. */
export { desiredState, type DesiredPorts } from './desired.ts';
export { EngineDriver } from './driver.ts';
export { Bell } from './waking.ts';
export { Keeper } from './keeper.ts';
export type { LocalEngine, TrafficOptions, TrafficTiming } from './ports.ts';
export { type BalancerState, EngineReports } from './reports.ts';
export type { TrafficShifts, WantedShift } from './shifts.ts';
export type { BalancedTask, BalancedTasks, TargetNote } from './tasks.ts';
