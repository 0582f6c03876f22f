import type {
  BlueGreenDeploymentConfiguration,
  CreateDeploymentGroupInput,
  LoadBalancerInfo,
  UpdateDeploymentGroupInput,
} from '@aws-sdk/client-codedeploy';
import { parseArn } from '@slipway/auth/kit';

import { isName } from '../cluster/index.ts';

import { parseAlarms } from './alarms.ts';
import { notDone, refuse } from './errors.ts';
import { type GroupRecord, rollbackEvents } from './records.ts';

/** What requests say of a group. */
export type GroupSettings = Omit<GroupRecord, 'application' | 'name' | 'id' | 'createdAt' | 'tags' | 'latest'>;

type Given = Omit<CreateDeploymentGroupInput, 'applicationName' | 'deploymentGroupName'> | UpdateDeploymentGroupInput;

/** Minutes that old tasks may stay, and that somebody may be waited for. */
const longest = 2880;

/**
 * What a request says of a group over what there is.
 * @param before undefined for a new group, which needs all that ECS needs
 * @throws CodeDeploy's exceptions, each about one member
 */
export function parseGroup(input: Given, before: GroupSettings | undefined, account: string): GroupSettings {
  refuseOthers(input);
  checkStyle(input, before === undefined);
  const { rollback = [], rollbackGiven } = parseRollback(input) ?? before ?? {};
  const alarms = parseAlarms(input.alarmConfiguration) ?? before?.alarms;
  return {
    configuration: nonEmpty(input.deploymentConfigName) ?? before?.configuration ?? 'CodeDeployDefault.ECSAllAtOnce',
    roleArn:
      parseRole(input.serviceRoleArn, account) ?? before?.roleArn ?? missing('Role', 'The serviceRoleArn is required.'),
    service:
      parseService(input) ??
      before?.service ??
      missing('InvalidECSService', 'ecsServices must name the service that is deployed, and its cluster.'),
    ...(parseBalancing(input.loadBalancerInfo) ??
      balancingOf(before) ??
      missing(
        'InvalidLoadBalancerInfo',
        'loadBalancerInfo.targetGroupPairInfoList must have two target groups and a listener.',
      )),
    ...parseTimes(input.blueGreenDeploymentConfiguration, before),
    rollback,
    ...(rollbackGiven === undefined ? {} : { rollbackGiven }),
    ...(alarms === undefined ? {} : { alarms }),
  };
}

const nonEmpty = (text: string | undefined): string | undefined => (text === '' ? undefined : text);

function missing(code: string, message: string): never {
  throw refuse(code === 'Role' ? 'RoleRequired' : code, message);
}

function refuseOthers(input: Given): void {
  const lists = ['ec2TagFilters', 'onPremisesInstanceTagFilters', 'autoScalingGroups'] as const;
  for (const member of lists)
    if ((input[member]?.length ?? 0) > 0)
      throw refuse('InvalidInput', `${member} is for the compute platform Server: remove it.`);
  for (const member of ['ec2TagSet', 'onPremisesTagSet', 'terminationHookEnabled'] as const)
    if (input[member] !== undefined && input[member] !== false)
      throw refuse('InvalidInput', `${member} is for the compute platform Server: remove it.`);
  if (input.outdatedInstancesStrategy !== undefined && input.outdatedInstancesStrategy !== 'UPDATE')
    throw refuse('InvalidInput', 'outdatedInstancesStrategy is for the compute platform Server: remove it.');
  if ((input.triggerConfigurations?.length ?? 0) > 0)
    throw notDone(
      'A trigger of a deployment group',
      'Nobody is told of deployments: remove triggerConfigurations, and ask GetDeployment, or let a lifecycle hook call you.',
    );
}

function checkStyle({ deploymentStyle: style }: Given, isNew: boolean): void {
  if (style === undefined && !isNew) return;
  if (style?.deploymentType !== 'BLUE_GREEN' || style.deploymentOption !== 'WITH_TRAFFIC_CONTROL')
    throw refuse(
      'InvalidDeploymentStyle',
      'For the compute platform ECS, deploymentStyle must have the deploymentType BLUE_GREEN and the deploymentOption WITH_TRAFFIC_CONTROL.',
    );
}

function parseRole(arn: string | undefined, account: string): string | undefined {
  if (arn === undefined || arn === '') return undefined;
  const parsed = parseArn(arn);
  if (parsed?.service !== 'iam' || parsed.account !== account || !/^role\/.+/.test(parsed.resource))
    throw refuse(
      'InvalidRole',
      `serviceRoleArn must be the ARN of a role of this account, not '${arn.slice(0, 200)}'.`,
    );
  return arn;
}

function parseService({ ecsServices }: Given): GroupSettings['service'] | undefined {
  if (ecsServices === undefined || ecsServices.length === 0) return undefined;
  if (ecsServices.length > 1) throw refuse('InvalidECSService', 'A deployment group has one ECS service.');
  const { serviceName: name = '', clusterName: cluster = '' } = ecsServices[0] ?? {};
  if (!isName(name) || !isName(cluster))
    throw refuse('InvalidECSService', 'ecsServices needs a clusterName and a serviceName: names, not ARNs.');
  return { cluster, name };
}

const balancingOf = (before: GroupSettings | undefined): Balancing | undefined =>
  before === undefined
    ? undefined
    : {
        targetGroups: before.targetGroups,
        productionListener: before.productionListener,
        ...(before.testListener === undefined ? {} : { testListener: before.testListener }),
      };

type Balancing = Pick<GroupSettings, 'targetGroups' | 'productionListener' | 'testListener'>;

function parseBalancing(info: LoadBalancerInfo | undefined): Balancing | undefined {
  if (info === undefined) return undefined;
  if ((info.elbInfoList?.length ?? 0) > 0 || (info.targetGroupInfoList?.length ?? 0) > 0)
    throw refuse(
      'InvalidLoadBalancerInfo',
      'elbInfoList and targetGroupInfoList are for the compute platform Server: use targetGroupPairInfoList.',
    );
  const [pair, ...others] = info.targetGroupPairInfoList ?? [];
  if (pair === undefined || others.length > 0)
    throw refuse('InvalidTargetGroupPair', 'targetGroupPairInfoList must have exactly one item.');
  const [first, second, ...more] = (pair.targetGroups ?? []).map(({ name = '' }) => name);
  if (
    first === undefined ||
    second === undefined ||
    more.length > 0 ||
    first === second ||
    first === '' ||
    second === ''
  )
    throw refuse('InvalidTargetGroupPair', 'A pair has exactly two target groups, each with its name.');
  const productionListener = listenerOf('prodTrafficRoute', pair.prodTrafficRoute?.listenerArns);
  if (productionListener === undefined)
    throw refuse(
      'InvalidTargetGroupPair',
      'prodTrafficRoute.listenerArns must name the listener of production traffic.',
    );
  const testListener = listenerOf('testTrafficRoute', pair.testTrafficRoute?.listenerArns);
  if (testListener === productionListener)
    throw refuse('InvalidTargetGroupPair', 'The test listener must be another one than the production listener.');
  return { targetGroups: [first, second], productionListener, ...(testListener === undefined ? {} : { testListener }) };
}

function listenerOf(route: string, arns: readonly string[] | undefined): string | undefined {
  const [arn, ...more] = arns ?? [];
  if (arn === undefined) return undefined;
  if (more.length > 0) throw refuse('InvalidTargetGroupPair', `${route}.listenerArns must have one item.`);
  const parsed = parseArn(arn);
  if (parsed?.service !== 'elasticloadbalancing' || !/^listener\/(app|net)\//.test(parsed.resource))
    throw refuse(
      'InvalidTargetGroupPair',
      `${route}.listenerArns: '${arn.slice(0, 200)}' is not the ARN of a listener.`,
    );
  return arn;
}

function parseTimes(
  given: BlueGreenDeploymentConfiguration | undefined,
  before: GroupSettings | undefined,
): Pick<GroupSettings, 'readyWait' | 'terminationWait'> {
  const bad = (message: string): Error => refuse('InvalidBlueGreenDeploymentConfiguration', message);
  const minutes = (member: string, value = 0): number => {
    if (Number.isInteger(value) && value >= 0 && value <= longest) return value;
    throw bad(`${member} must be a whole number from 0 to ${longest}, not ${value}.`);
  };
  if (given?.greenFleetProvisioningOption !== undefined)
    throw bad('greenFleetProvisioningOption is for the compute platform Server: remove it.');
  const { terminateBlueInstancesOnDeploymentSuccess: end, deploymentReadyOption: ready } = given ?? {};
  if (end?.action === 'KEEP_ALIVE')
    throw bad(
      'The action KEEP_ALIVE is not supported by this installation: the old tasks end after terminationWaitTimeInMinutes. Use TERMINATE.',
    );
  const terminationWait =
    end === undefined
      ? (before?.terminationWait ?? 0)
      : minutes('terminationWaitTimeInMinutes', end.terminationWaitTimeInMinutes);
  if (ready === undefined)
    return { terminationWait, ...(before?.readyWait === undefined ? {} : { readyWait: before.readyWait }) };
  const wait = minutes('waitTimeInMinutes', ready.waitTimeInMinutes);
  if (ready.actionOnTimeout === 'STOP_DEPLOYMENT') {
    if (wait < 1) throw bad('With the actionOnTimeout STOP_DEPLOYMENT, waitTimeInMinutes must be at least 1.');
    return { terminationWait, readyWait: wait };
  }
  if (wait > 0)
    throw bad(
      'waitTimeInMinutes is for the actionOnTimeout STOP_DEPLOYMENT: with CONTINUE_DEPLOYMENT nobody is waited for.',
    );
  return { terminationWait };
}

function parseRollback({
  autoRollbackConfiguration: given,
}: Given): Pick<GroupSettings, 'rollback' | 'rollbackGiven'> | undefined {
  if (given === undefined) return undefined;
  const asked: readonly string[] = given.events ?? [];
  const enabled = given.enabled ?? false;
  const known = rollbackEvents.filter((event) => asked.includes(event));
  if (enabled && known.length === 0)
    throw refuse(
      'InvalidAutoRollbackConfig',
      `autoRollbackConfiguration.events must name one of ${rollbackEvents.join(', ')}.`,
    );
  return { rollback: enabled ? known : [], rollbackGiven: { enabled, events: known } };
}
