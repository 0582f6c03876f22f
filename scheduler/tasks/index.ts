export { checkDefinition, checkDefinitionRequest, checkReach, isRoleArn } from './check-definition.ts';
export { checkOverrides } from './check-overrides.ts';
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
export { taskBody } from './overrides.ts';
export { checkExpression, parseConstraints, parseStrategies, type PlacementExtensions } from './placement-rules.ts';
export type { PlacementDemand, PlacementFailure, TaskPlacer } from './placer.ts';
export { interrupted, interruptedAt, reclaimInstance, reclaimNotice } from './reclaim.ts';
export { requiredAttributes } from './requires.ts';
export { fullRoleArn, passRoles, rolesOf, withFullRoles } from './roles.ts';
export { reservationOf } from './reservation.ts';
export { getProtection, type ProtectionResult, setProtection } from './protection.ts';
export { type RunRequest, type RunResult, runTasks } from './run.ts';
export { sweepDefinitions } from './sweep-definitions.ts';
export { containerArn, managedAgent, type TaskHome, taskView } from './task-view.ts';
export { changeTask, findTasks, stopping, stopTask } from './tasks.ts';
export { requestDigest, stableJson } from './tokens.ts';
export { checkLaunch, type LaunchRequest, parseLaunchType, type TaskNetworks } from './launch.ts';
export { fargatePlatform } from './task-view.ts';
