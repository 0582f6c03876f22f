export { bodyOf, containersOf, type TaskDefinitionBody } from './definition.ts';
export { taskDraft, type TaskDraft, type TaskDraftOptions, taskTags } from './draft.ts';
export { applyOverrides } from './overrides.ts';
export type { PlacementDemand, PlacementFailure, TaskPlacer } from './placer.ts';
export { reservationOf } from './reservation.ts';
