export { type ActionDraft, deleteAction, putAction } from './actions.ts';
export { activitiesKept } from './activities.ts';
export { invalid, noTarget } from './errors.ts';
export { actionArn, dimension, resourceId, scalingKeys, scalingRows, targetArn, targetId } from './keys.ts';
export type { ActionRecord, ActivityRecord, Suspended, TargetRecord } from './records.ts';
export { scaleServices, type ScalerPorts } from './scaler.ts';
export { changeTags, deregisterTarget, findTarget, type Registration, registerTarget } from './targets.ts';
