import { createHash } from 'node:crypto';

import type { TargetPlace } from '../deployments/index.ts';
import {
  ec2InstanceId,
  type InstanceRecord,
  type ServiceLoadBalancer,
  type TaskDefinitionRecord,
  type TaskRecord,
} from '../state/index.ts';
import { bodyOf } from '../tasks/index.ts';

/** Where others reach the ports that a host's tasks publish; undefined when its agent has not said so. */
export function addressOf({ attributes }: Pick<InstanceRecord, 'attributes'>): string | undefined {
  const said = (wanted: string): string | undefined => attributes.find(({ name }) => name === wanted)?.value;
  return said('slipway.published-on') ?? said('slipway.address');
}

/**
 * Where a task that runs answers on a port of a container: an interface of its own, or its host's port, as its agent has said.
 * @param host the instance that it is on
 */
export function targetPlace(
  task: TaskRecord,
  { targetGroupArn, containerName, containerPort }: ServiceLoadBalancer,
  host: InstanceRecord | undefined,
  definition: TaskDefinitionRecord | undefined,
): TargetPlace | { readonly missing: string } {
  // The same whoever registers it, and however often; another task, group or port has another.
  const id = createHash('sha256')
    .update(JSON.stringify([task.arn, targetGroupArn, containerName, containerPort]))
    .digest('hex')
    .slice(0, 16);
  if (definition === undefined) return { missing: 'its task definition does not exist any more' };
  const mode = bodyOf(definition).networkMode ?? 'bridge';
  if (mode === 'awsvpc') {
    const address = task.attachment?.address;
    if (address === undefined) return { missing: 'it has no network interface' };
    return { id, targetId: address, address, port: containerPort };
  }
  const address = host && addressOf(host);
  if (address === undefined) {
    return {
      missing: `the agent of container instance ${task.instanceId ?? ''} has not said at which address its host is reached`,
    };
  }
  const port = mode === 'host' ? containerPort : hostPort(task, containerName, containerPort);
  if (port === undefined) return { missing: `its agent has not said which host port has port ${containerPort}` };
  return { id, targetId: ec2InstanceId(task.instanceId ?? ''), address, port };
}

/** The host port of a container's port; ports of a range are in the same order on the host. */
function hostPort({ containers }: TaskRecord, name: string, port: number): number | undefined {
  for (const binding of containers.find((one) => one.name === name)?.networkBindings ?? []) {
    if (binding.protocol !== 'tcp') continue;
    if ('containerPort' in binding) {
      if (binding.containerPort === port) return binding.hostPort;
      continue;
    }
    const [first = 0, last = first] = binding.containerPortRange.split('-').map(Number);
    if (first <= port && port <= last) return Number(binding.hostPortRange.split('-')[0]) + port - first;
  }
  return undefined;
}
