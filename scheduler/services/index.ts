export { passDeploymentRoles, serviceAccess, updateAccess } from './access.ts';
export { beginCodeDeploy, type CodeDeployStart, endBake, isBusy } from './code-deploy.ts';
export { checkAlarms, configurationView, defaultConfiguration, parseConfiguration } from './configuration.ts';
export { readController } from './controller.ts';
export { countTasks, type DeploymentCounts } from './counts.ts';
export { type DeploymentStart, newDeployment, primaryOf, servingOf, startDeployment } from './deployment.ts';
export { decidePause, type DeploymentRef, stopDeployment } from './decide.ts';
export { actingFor, callOf, delegateOf } from './delegate.ts';
export { rebalanceTag } from './rebalancing.ts';
export { followTag, formatFollow, parseFollow, withTags } from './follow.ts';
export {
  briefView,
  deploymentArn,
  type Historic,
  refreshed,
  revisionArn,
  revisionView,
  serviceDeploymentView,
  statusOf,
} from './history-view.ts';
export { judgeTag, parseJudge } from './judge.ts';
export { restarts, restartTag } from './restart.ts';
export { checkContainers, checkTargetGroups, parseLoadBalancers, type TargetGroups } from './load-balancers.ts';
export { checkRules, type TrafficRule } from './traffic-rules.ts';
export { checkHookDefinition, checkHookDefinitions, type HookPlace, parseHooks } from './hooks.ts';
export { type Launch, maximumTasks, parseCreate, parseUpdate, withStrategy } from './request.ts';
export { waitOf } from './shift-view.ts';
export { networkView } from './network-view.ts';
export { serviceViews } from './service-view.ts';
export { parseScale, parseSetBalancers, parseTaskSet, parseTaskSetId } from './task-set-request.ts';
export { taskSetsView } from './task-set-view.ts';
export {
  createTaskSet,
  deleteTaskSet,
  requireExternal,
  scaleTaskSet,
  setPrimary,
  type TaskSetOf,
  tagTaskSet,
} from './task-sets.ts';
export {
  changeService,
  changeServiceWithin,
  createService,
  deleteService,
  findService,
  type ServiceChange,
  type ServiceLaunch,
  type ServicePorts,
  type ServiceDraft,
  type ServiceRef,
  setFollow,
  updateService,
} from './services.ts';
