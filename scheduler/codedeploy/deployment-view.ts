import type { DeploymentInfo, DeploymentTarget, ECSTaskSet, LifecycleEvent } from '@aws-sdk/client-codedeploy';

import { arns } from '../state/index.ts';

import { alarmsView } from './alarms.ts';
import { groupView } from './group-view.ts';
import type { Place } from './names.ts';
import type { CodeDeployRecord, EventProgress, Progress } from './records.ts';

/** A deployment, or the rollback of one, which has an id of its own. */
export interface Viewed {
  readonly record: CodeDeployRecord;
  readonly progress: Progress;
  readonly isRollback: boolean;
}

const date = (at: number | undefined): Date | undefined => (at === undefined ? undefined : new Date(at));
const member = <Name extends string, Value>(name: Name, value: Value | undefined): { [K in Name]?: Value } =>
  (value === undefined ? {} : { [name]: value }) as { [K in Name]?: Value };

/** The status, and since when, of what is viewed. */
export function standing({ progress, isRollback, record }: Viewed): {
  readonly status: Progress['status'];
  readonly createdAt: number;
  readonly startedAt?: number | undefined;
  readonly endedAt?: number | undefined;
} {
  const { rollback } = progress;
  if (!isRollback || rollback === undefined)
    return {
      status: progress.status,
      createdAt: record.createdAt,
      startedAt: progress.startedAt,
      endedAt: progress.endedAt,
    };
  const { status, startedAt, endedAt } = rollback;
  return { status, createdAt: startedAt, startedAt, endedAt };
}

/** A deployment as GetDeployment gives it back. */
export function deploymentView(viewed: Viewed): DeploymentInfo {
  const { record, progress, isRollback } = viewed;
  const { group, revision } = record;
  const { status, createdAt, startedAt, endedAt } = standing(viewed);
  const { blueGreenDeploymentConfiguration, loadBalancerInfo, deploymentStyle } = groupView(group);
  const counts = { Pending: 0, InProgress: 0, Succeeded: 0, Failed: 0, Skipped: 0, Ready: 0 };
  counts[status === 'Created' || status === 'Queued' ? 'Pending' : status === 'Stopped' ? 'Failed' : status] = 1;
  const located = { content: revision.content, sha256: revision.sha256 };
  return {
    applicationName: group.application,
    deploymentGroupName: group.name,
    deploymentConfigName: record.configuration,
    deploymentId: isRollback ? record.rollbackId : record.id,
    // What a rollback goes back to was given with an earlier deployment.
    ...(isRollback
      ? {}
      : {
          revision:
            revision.type === 'String'
              ? { revisionType: 'String' as const, string: located }
              : { revisionType: 'AppSpecContent' as const, appSpecContent: located },
        }),
    status,
    ...(isRollback ? {} : member('errorInformation', progress.error as DeploymentInfo['errorInformation'])),
    createTime: new Date(createdAt),
    ...member('startTime', date(startedAt)),
    ...member('completeTime', date(endedAt)),
    deploymentOverview: counts,
    ...member('description', record.description),
    creator: isRollback ? 'codeDeployRollback' : 'user',
    ignoreApplicationStopFailures: false,
    autoRollbackConfiguration: { enabled: record.rollback.length > 0, events: [...record.rollback] },
    ...(record.alarms === undefined ? {} : { overrideAlarmConfiguration: alarmsView(record.alarms) }),
    updateOutdatedInstancesOnly: false,
    ...rollbackInfo(viewed),
    ...member('deploymentStyle', deploymentStyle),
    instanceTerminationWaitTimeStarted: progress.isBaking === true,
    ...member('blueGreenDeploymentConfiguration', blueGreenDeploymentConfiguration),
    ...member('loadBalancerInfo', loadBalancerInfo),
    fileExistsBehavior: 'DISALLOW',
    deploymentStatusMessages: [],
    computePlatform: 'ECS',
  };
}

function rollbackInfo({ record, progress, isRollback }: Viewed): Pick<DeploymentInfo, 'rollbackInfo'> {
  if (progress.rollback === undefined) return {};
  const why = progress.error?.message ?? '';
  return {
    rollbackInfo: isRollback
      ? { rollbackTriggeringDeploymentId: record.id, rollbackMessage: `Deployment ${record.id} was given up: ${why}` }
      : { rollbackDeploymentId: record.rollbackId, rollbackMessage: `Traffic goes back to the old tasks: ${why}` },
  };
}

/** The one target of a deployment: `CLUSTER:SERVICE`. */
export const targetId = ({ group }: CodeDeployRecord): string => `${group.service.cluster}:${group.service.name}`;

/** The target as GetDeploymentTarget gives it back. */
export function targetView(viewed: Viewed, place: Place, taskSets: readonly ECSTaskSet[]): DeploymentTarget {
  const { record, progress, isRollback } = viewed;
  const { cluster, name } = record.group.service;
  const { status, endedAt, startedAt, createdAt } = standing(viewed);
  return {
    deploymentTargetType: 'ECSTarget',
    ecsTarget: {
      deploymentId: isRollback ? record.rollbackId : record.id,
      targetId: targetId(record),
      targetArn: arns.service(place.region, place.account, cluster, name),
      lastUpdatedAt: new Date(endedAt ?? startedAt ?? createdAt),
      lifecycleEvents: (isRollback ? rollbackEvents(progress) : progress.events).map(eventView),
      status: status === 'Created' || status === 'Queued' ? 'Pending' : status === 'Stopped' ? 'Failed' : status,
      taskSetsInfo: [...taskSets],
    },
  };
}

/** On the way back traffic is moved, and nothing else. */
const rollbackEvents = ({ events, rollback }: Progress): EventProgress[] =>
  events.map(({ name }) =>
    name === 'AllowTraffic' && rollback !== undefined
      ? {
          name,
          status: rollback.status,
          startedAt: rollback.startedAt,
          ...(rollback.endedAt === undefined ? {} : { endedAt: rollback.endedAt }),
        }
      : { name, status: 'Skipped' },
  );

const eventView = ({ name, status, startedAt, endedAt, reason }: EventProgress): LifecycleEvent => ({
  lifecycleEventName: name,
  status,
  ...member('startTime', date(startedAt)),
  ...member('endTime', date(endedAt)),
  ...(reason === undefined ? {} : { diagnostics: { errorCode: 'ScriptFailed' as const, message: reason } }),
});
