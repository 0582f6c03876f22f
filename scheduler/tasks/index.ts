export { checkDefinition, checkDefinitionRequest } from './check-definition.ts';
export { bodyOf, containersOf, type TaskDefinitionBody } from './definition.ts';
export { definitionView } from './definition-view.ts';
export {
  activeDefinition,
  type DefinitionRef,
  deleteDefinition,
  deregisterDefinition,
  findDefinition,
  parseDefinition,
  registerRevision,
  type RevisionDraft,
} from './definitions.ts';
export { type DemandOptions, placementDemand } from './demand.ts';
export { taskDraft, type TaskDraft, type TaskDraftOptions, taskTags } from './draft.ts';
export { normalizeDefinition } from './normalize.ts';
export { applyOverrides } from './overrides.ts';
export { checkExpression, parseConstraints, parseStrategies } from './placement-rules.ts';
export type { PlacementDemand, PlacementFailure, TaskPlacer } from './placer.ts';
export { requiredAttributes } from './requires.ts';
export { reservationOf } from './reservation.ts';
