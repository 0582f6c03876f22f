import type { Service } from '@aws-sdk/client-ecs';
import { idOf } from './service-deployments.ts';

/** One sentence: the state of the newest deployment, and what stands in its way. */
export function verdict(service: Service): string {
  const primary = service.deployments?.find((deployment) => deployment.status === 'PRIMARY');
  const lastWord = service.events?.[0]?.message ?? '';
  if (service.status !== 'ACTIVE') return `the service is ${service.status}`;
  const controller = service.deploymentController?.type;
  if (controller === 'EXTERNAL') return verdictOfSets(service, lastWord);
  if (controller === 'CODE_DEPLOY') return verdictOfShift(service, lastWord);
  if (!primary) return 'the service has no deployment';
  if (primary.rolloutState === 'COMPLETED') {
    const steady = service.runningCount === service.desiredCount;
    return steady
      ? `steady, ${service.runningCount ?? 0} tasks on ${idOf(primary.taskDefinition)}`
      : `was deployed, now has ${service.runningCount ?? 0} of ${service.desiredCount ?? 0} tasks: ${lastWord}`;
  }
  if (primary.rolloutState === 'FAILED') return `the deployment failed: ${primary.rolloutStateReason ?? lastWord}`;
  // What ECS says of every deployment that is under way is no news.
  const word = /in progress\. (.+)$/.exec(primary.rolloutStateReason ?? '')?.[1] ?? lastWord;
  return `rolling out ${idOf(primary.taskDefinition)}, ${primary.runningCount ?? 0} of ${primary.desiredCount ?? 0} running: ${word}`;
}

/** The same of a service that is deployed by somebody else. */
function verdictOfSets({ taskSets = [] }: Service, lastWord: string): string {
  if (taskSets.length === 0) return 'no task set yet: its controller makes them (CreateTaskSet)';
  const waiting = taskSets.filter(({ stabilityStatus }) => stabilityStatus !== 'STEADY_STATE');
  if (waiting.length === 0) return `steady, ${taskSets.length} task sets`;
  return `${waiting.map(({ id = '' }) => id).join(', ')} of ${taskSets.length} task sets stabilizing: ${lastWord}`;
}

/** The same of a service that CodeDeploy deploys: it has one task set, or the new beside the old. */
function verdictOfShift(service: Service, lastWord: string): string {
  const [fresh, ...older] = (service.taskSets ?? []).toSorted(
    (a, b) => (b.createdAt?.getTime() ?? 0) - (a.createdAt?.getTime() ?? 0),
  );
  if (fresh === undefined) return 'the service has no deployment';
  const { runningCount = 0, desiredCount = 0 } = service;
  const revision = idOf(fresh.taskDefinition);
  if (older.length === 0)
    return runningCount === desiredCount
      ? `steady, ${runningCount} tasks on ${revision}`
      : `${runningCount} of ${desiredCount} tasks on ${revision}: ${lastWord}`;
  const named = fresh.externalId === undefined ? revision : `${revision} (${fresh.externalId})`;
  const others = older.map((set) => idOf(set.taskDefinition)).join(', ');
  return fresh.status === 'PRIMARY'
    ? `${named} has the traffic, ${others} is still there: ${lastWord}`
    : `${named} beside ${others}, which has the traffic, ${fresh.runningCount ?? 0} of ${fresh.computedDesiredCount ?? 0} running: ${lastWord}`;
}
