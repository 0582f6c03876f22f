import type { DeploymentGroupInfo, LastDeploymentInfo } from '@aws-sdk/client-codedeploy';

import { alarmsView } from './alarms.ts';
import type { GroupRecord } from './records.ts';

/** What came of a group last. */
export interface LastDeployments {
  readonly attempted?: LastDeploymentInfo;
  readonly successful?: LastDeploymentInfo;
}

/** A group as GetDeploymentGroup gives it back. */
export function groupView(group: GroupRecord, { attempted, successful }: LastDeployments = {}): DeploymentGroupInfo {
  const { alarms, readyWait, rollbackGiven, testListener } = group;
  return {
    applicationName: group.application,
    deploymentGroupId: group.id,
    deploymentGroupName: group.name,
    deploymentConfigName: group.configuration,
    ec2TagFilters: [],
    onPremisesInstanceTagFilters: [],
    autoScalingGroups: [],
    serviceRoleArn: group.roleArn,
    triggerConfigurations: [],
    ...(alarms === undefined ? {} : { alarmConfiguration: alarmsView(alarms) }),
    ...(rollbackGiven === undefined
      ? {}
      : { autoRollbackConfiguration: { enabled: rollbackGiven.enabled, events: [...rollbackGiven.events] } }),
    deploymentStyle: { deploymentType: 'BLUE_GREEN', deploymentOption: 'WITH_TRAFFIC_CONTROL' },
    outdatedInstancesStrategy: 'UPDATE',
    blueGreenDeploymentConfiguration: {
      terminateBlueInstancesOnDeploymentSuccess: {
        action: 'TERMINATE',
        terminationWaitTimeInMinutes: group.terminationWait,
      },
      deploymentReadyOption: {
        actionOnTimeout: readyWait === undefined ? 'CONTINUE_DEPLOYMENT' : 'STOP_DEPLOYMENT',
        waitTimeInMinutes: readyWait ?? 0,
      },
    },
    loadBalancerInfo: {
      targetGroupPairInfoList: [
        {
          targetGroups: group.targetGroups.map((name) => ({ name })),
          prodTrafficRoute: { listenerArns: [group.productionListener] },
          ...(testListener === undefined ? {} : { testTrafficRoute: { listenerArns: [testListener] } }),
        },
      ],
    },
    ...(attempted === undefined ? {} : { lastAttemptedDeployment: attempted }),
    ...(successful === undefined ? {} : { lastSuccessfulDeployment: successful }),
    computePlatform: 'ECS',
    ecsServices: [{ serviceName: group.service.name, clusterName: group.service.cluster }],
    terminationHookEnabled: false,
  };
}
