import type { AdvancedConfiguration, LoadBalancer } from '@aws-sdk/client-ecs';
import type { Clock } from '@slipway/storage/clock';

import { invalidParameter, refuseMembers } from '../cluster/index.ts';
import type { ServiceLoadBalancer, TaskDefinitionRecord } from '../state/index.ts';
import { bodyOf, containersOf, type TaskDefinitionBody } from '../tasks/index.ts';
import { checkRole } from './hooks.ts';
import type { TrafficRule } from './traffic-rules.ts';

/** What services know of target groups. */
export interface TargetGroups {
  /**
   * @returns undefined for a target group that is not there. `usedBy`: the name of the load balancer whose listener or rule names it,
   * without which nothing is sent to its targets, and nobody checks them
   */
  find(
    account: string,
    arn: string,
  ): Promise<{ readonly targetType: 'instance' | 'ip'; readonly usedBy: string | undefined } | undefined>;
  /** A rule or listener by its ARN; undefined for one that is not there. */
  rule(account: string, arn: string): Promise<TrafficRule | undefined>;
  /** Milliseconds that are waited for a listener that is being made at the same time, as Terraform does. */
  readonly patience: number;
}

/** Target groups that one service may have (ECS developer guide, "Registering multiple target groups"). */
const mostGroups = 5;

/** Milliseconds between looks for a listener. */
const pause = 500;

/**
 * Reads `loadBalancers`, and holds it against what the containers of the revision that is to run have.
 * @throws InvalidParameterException in ECS's words
 */
export function parseLoadBalancers(
  given: readonly LoadBalancer[],
  definition: TaskDefinitionRecord,
  account: string,
): readonly ServiceLoadBalancer[] {
  if (given.length > mostGroups)
    throw invalidParameter(`load balancers can have at most ${mostGroups} items, not ${given.length}.`);
  const parsed = given.map((one): ServiceLoadBalancer => {
    refuseMembers(
      one,
      {
        loadBalancerName: "There are no Classic Load Balancers: name a target group by 'targetGroupArn'.",
      },
      'loadBalancers.',
    );
    const { targetGroupArn, containerName, containerPort, advancedConfiguration } = one;
    if (targetGroupArn === undefined || targetGroupArn === '')
      throw invalidParameter('Target group ARN can not be blank.');
    if (containerName === undefined || containerName === '') throw invalidParameter('Container name can not be blank.');
    if (containerPort === undefined || !Number.isInteger(containerPort) || containerPort < 1 || containerPort > 65_535)
      throw invalidParameter('containerPort must be a whole number from 1 to 65535.');
    return {
      targetGroupArn,
      containerName,
      containerPort,
      ...(advancedConfiguration === undefined
        ? {}
        : { advanced: parseAdvanced(advancedConfiguration, targetGroupArn, account) }),
    };
  });
  if (new Set(parsed.map((one) => JSON.stringify(one))).size < parsed.length)
    throw invalidParameter('load balancers can not have duplicates: name each target group, container and port once.');
  checkDistinct(parsed);
  checkContainers(parsed, definition);
  return parsed;
}

function parseAdvanced(
  given: AdvancedConfiguration,
  targetGroupArn: string,
  account: string,
): NonNullable<ServiceLoadBalancer['advanced']> {
  const { alternateTargetGroupArn, productionListenerRule, testListenerRule, roleArn } = given;
  const where = 'advancedConfiguration.';
  if (alternateTargetGroupArn === undefined || alternateTargetGroupArn === '')
    throw invalidParameter(
      `${where}alternateTargetGroupArn can not be blank: a second target group takes the next revision.`,
    );
  if (alternateTargetGroupArn === targetGroupArn)
    throw invalidParameter(`${where}alternateTargetGroupArn must be another target group than targetGroupArn.`);
  if (productionListenerRule === undefined || productionListenerRule === '')
    throw invalidParameter(`${where}productionListenerRule can not be blank: its requests are shifted.`);
  if (testListenerRule === productionListenerRule)
    throw invalidParameter(`${where}testListenerRule must be another rule than productionListenerRule, or left out.`);
  if (roleArn === undefined || roleArn === '')
    throw invalidParameter(`${where}roleArn can not be blank: rules are changed in the name of that role.`);
  checkRole(roleArn, `${where}roleArn`, account);
  return {
    alternateTargetGroupArn,
    productionListenerRule,
    ...(testListenerRule === undefined || testListenerRule === '' ? {} : { testListenerRule }),
    roleArn,
  };
}

/** No two of a service's pairs share a group or a rule, and no two registrations of pairs a port: each would undo what the other does. */
function checkDistinct(balancers: readonly ServiceLoadBalancer[]): void {
  const shared = balancers.flatMap(({ advanced, ...one }) =>
    advanced === undefined
      ? []
      : [
          one.targetGroupArn,
          advanced.alternateTargetGroupArn,
          advanced.productionListenerRule,
          advanced.testListenerRule ?? [],
          `${one.containerName}:${one.containerPort}`,
        ].flat(),
  );
  const twice = shared.find((arn, index) => shared.indexOf(arn) !== index);
  if (twice !== undefined)
    throw invalidParameter(`load balancers with an advancedConfiguration can not share ${twice}: each needs its own.`);
}

/** Registrations as DescribeServices gives them back. */
export const loadBalancersView = (balancers: readonly ServiceLoadBalancer[] = []): LoadBalancer[] =>
  balancers.map(({ advanced, ...one }) => ({
    ...one,
    ...(advanced === undefined ? {} : { advancedConfiguration: { ...advanced } }),
  }));

/** @throws InvalidParameterException when the revision lacks a container or a port that target groups want */
export function checkContainers(balancers: readonly ServiceLoadBalancer[], definition: TaskDefinitionRecord): void {
  const containers = containersOf(bodyOf(definition));
  for (const { containerName, containerPort } of balancers) {
    const found = containers.find(({ name }) => name === containerName);
    if (found === undefined)
      throw invalidParameter(`The container ${containerName} does not exist in the task definition.`);
    const has = (found.portMappings ?? []).some(({ containerPort: port, containerPortRange, protocol = 'tcp' }) => {
      const [first = 0, last = first] = (containerPortRange ?? '').split('-').map(Number);
      return protocol === 'tcp' && (port === containerPort || (first <= containerPort && containerPort <= last));
    });
    if (!has)
      throw invalidParameter(`The container ${containerName} did not have a container port ${containerPort} defined.`);
  }
}

/**
 * Checks that the target groups are there, take such targets, and are used by a load balancer; for that it waits a while.
 * @throws InvalidParameterException in ECS's words
 */
export async function checkTargetGroups(
  groups: TargetGroups,
  clock: Clock,
  account: string,
  balancers: readonly ServiceLoadBalancer[],
  definition: TaskDefinitionRecord,
): Promise<void> {
  const { networkMode = 'bridge' } = bodyOf(definition);
  const until = clock.monotonic() + groups.patience;
  // Deployments put the alternate one of a pair into their rules themselves.
  const all = balancers.flatMap(({ targetGroupArn, advanced }) => [
    { arn: targetGroupArn, mustBeUsed: true },
    ...(advanced === undefined ? [] : [{ arn: advanced.alternateTargetGroupArn, mustBeUsed: false }]),
  ]);
  for (const { arn, mustBeUsed } of all) {
    for (;;) {
      const found = await groups.find(account, arn);
      if (found === undefined) throw invalidParameter(`The target group with targetGroupArn ${arn} does not exist.`);
      checkType(found.targetType, networkMode, arn);
      if (found.usedBy !== undefined || !mustBeUsed) break;
      if (clock.monotonic() >= until)
        throw invalidParameter(
          `The target group with targetGroupArn ${arn} does not have an associated load balancer. ` +
            'Make a listener or a rule first that forwards to it (create-listener, create-rule).',
        );
      await clock.sleep(pause);
    }
  }
}

function checkType(type: 'instance' | 'ip', mode: NonNullable<TaskDefinitionBody['networkMode']>, arn: string): void {
  const wanted = mode === 'awsvpc' ? 'ip' : 'instance';
  if (type === wanted) return;
  throw invalidParameter(
    `The provided target group ${arn} has target type ${type}, which is incompatible with the ${mode} network mode specified in the task definition.`,
  );
}
