/** Auto Scaling groups: what is wanted of them, who keeps them so, and how their machines join. */
export { noGroup, unsupported, validation } from './errors.ts';
export { beginActivity, moment } from './activities.ts';
export { blueprintOf, nextMachines, type NextMachines, type ProfileRole } from './blueprint.ts';
export { terminationPolicies } from './decide.ts';
export { checkSize, type GroupDraft, desiredFor, Groups, type GroupsPorts, mostGroups } from './groups.ts';
export { createGroupAdministration } from './administer.ts';
export { groupSecret, transitionNames } from './hook-teller.ts';
export { answerAction, changeHooks, withHooks, withoutHook } from './hooks.ts';
export { globalTimeout, lifecycleState, resultOf } from './lifecycle.ts';
export { createMachineJoin, type JoinPorts, type MachineCredentials, machineOf } from './join.ts';
export { AccountGroups, GroupKeeper, type KeeperPorts } from './keeper.ts';
export { groupArn, groupKeys, groupRows, groupsPartition, parseGroupArn } from './keys.ts';
export type {
  ActionResult,
  ActivityRecord,
  Distribution,
  GroupRecord,
  GroupTag,
  HookRecord,
  MachineRecord,
  MachineState,
  MadeFrom,
  RefreshPreferences,
  RefreshRecord,
  Rest,
  WarmPoolRecord,
} from './records.ts';
export { nextType, unitsOf } from './units.ts';
export { checkPooled, deleteWarmPool, putWarmPool } from './pools.ts';
export { isPooled } from './warm-pool.ts';
export { cancelRefresh, type RefreshDraft, refreshesOf, rollBack, startRefresh } from './refreshes.ts';
export { agentSettings } from './user-data.ts';
