import type { LoadBalancer } from '@aws-sdk/client-ecs';
import type { Clock } from '@slipway/storage/clock';

import { invalidParameter, refuseMembers } from '../cluster/index.ts';
import type { ServiceLoadBalancer, TaskDefinitionRecord } from '../state/index.ts';
import { bodyOf, containersOf, type TaskDefinitionBody } from '../tasks/index.ts';

/** What services know of target groups. */
export interface TargetGroups {
  /**
   * @returns undefined for a target group that is not there. `isUsed`: whether a listener or rule of a load balancer names it, without
   * which nothing is sent to its targets, and nobody checks them
   */
  find(
    account: string,
    arn: string,
  ): Promise<{ readonly targetType: 'instance' | 'ip'; readonly isUsed: boolean } | undefined>;
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
): readonly ServiceLoadBalancer[] {
  if (given.length > mostGroups)
    throw invalidParameter(`load balancers can have at most ${mostGroups} items, not ${given.length}.`);
  const parsed = given.map((one): ServiceLoadBalancer => {
    refuseMembers(
      one,
      {
        loadBalancerName: "There are no Classic Load Balancers: name a target group by 'targetGroupArn'.",
        advancedConfiguration: 'Deployments are rolling: remove it.',
      },
      'loadBalancers.',
    );
    const { targetGroupArn, containerName, containerPort } = one;
    if (targetGroupArn === undefined || targetGroupArn === '')
      throw invalidParameter('Target group ARN can not be blank.');
    if (containerName === undefined || containerName === '') throw invalidParameter('Container name can not be blank.');
    if (containerPort === undefined || !Number.isInteger(containerPort) || containerPort < 1 || containerPort > 65_535)
      throw invalidParameter('containerPort must be a whole number from 1 to 65535.');
    return { targetGroupArn, containerName, containerPort };
  });
  if (new Set(parsed.map((one) => JSON.stringify(one))).size < parsed.length)
    throw invalidParameter('load balancers can not have duplicates: name each target group, container and port once.');
  checkContainers(parsed, definition);
  return parsed;
}

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
  for (const { targetGroupArn: arn } of balancers) {
    for (;;) {
      const found = await groups.find(account, arn);
      if (found === undefined) throw invalidParameter(`The target group with targetGroupArn ${arn} does not exist.`);
      checkType(found.targetType, networkMode, arn);
      if (found.isUsed) break;
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
