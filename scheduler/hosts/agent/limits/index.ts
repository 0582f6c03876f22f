export { type Hierarchy, readHierarchy } from './hierarchy.ts';
export { groupOf } from './limits.ts';
export { LimitsError, noLimits, type TaskLimitsPort } from './port.ts';
export { TaskGroup } from './task-group.ts';
export { TaskLimits } from './task-limits.ts';
