import { AwsError } from '@slipway/auth/contract';

import { type Balancing, classicGroupId, type ClassicRecord, type Draft, type TargetRecord } from '../records/index.ts';

import { validation } from './errors.ts';
import { type ClassicOperations, find, mayOn, operation, type Scene } from './operation.ts';
import { byName, instances, list, type Of, required, struct, text } from './shapes.ts';

/** As ELB has it for targets of a load balancer. */
const mostInstances = 1000;

const state = struct('InstanceState', { InstanceId: text, State: text, ReasonCode: text, Description: text });
const named = { ...byName, Instances: required(instances) } as const;
const shown = { Instances: instances } as const;

/** The instances of Classic Load Balancers, and how they are. */
export const instanceOperations: ClassicOperations = {
  RegisterInstancesWithLoadBalancer: operation({
    input: struct('RegisterEndPointsInput', named),
    output: struct('RegisterEndPointsOutput', shown),
    access: mayOn('RegisterInstancesWithLoadBalancer', ({ LoadBalancerName }) => [LoadBalancerName]),
    change: async ({ LoadBalancerName, Instances }, scene, draft) => {
      const record = find(draft, LoadBalancerName);
      const all = [...new Set([...record.instances, ...idsOf(Instances)])];
      if (all.length > mostInstances) throw validation(`A load balancer has at most ${mostInstances} instances`);
      return keep(scene, draft, { ...record, instances: all });
    },
    answer: viewInstances,
  }),
  DeregisterInstancesFromLoadBalancer: operation({
    input: struct('DeregisterEndPointsInput', named),
    output: struct('DeregisterEndPointsOutput', shown),
    access: mayOn('DeregisterInstancesFromLoadBalancer', ({ LoadBalancerName }) => [LoadBalancerName]),
    change: async ({ LoadBalancerName, Instances }, scene, draft) => {
      const record = find(draft, LoadBalancerName);
      const gone = idsOf(Instances);
      const unknown = gone.find((id) => !record.instances.includes(id));
      if (unknown !== undefined) throw invalidInstance(unknown);
      return keep(scene, draft, { ...record, instances: record.instances.filter((id) => !gone.includes(id)) });
    },
    answer: viewInstances,
  }),
  DescribeInstanceHealth: operation({
    input: struct('DescribeEndPointStateInput', { ...byName, Instances: instances }),
    output: struct('DescribeEndPointStateOutput', { InstanceStates: list(state) }),
    access: mayOn('DescribeInstanceHealth', ({ LoadBalancerName }) => [LoadBalancerName]),
    read: ({ LoadBalancerName, Instances = [] }, _scene, balancing) => {
      const record = find(balancing, LoadBalancerName);
      const asked = Instances.length === 0 ? record.instances : idsOf(Instances);
      return { InstanceStates: asked.map((id) => stateOf(balancing, record, id)) };
    },
  }),
};

function idsOf(given: Of<typeof instances>): readonly string[] {
  if (given.length === 0) throw validation('Instances must be specified');
  return [...new Set(given.map(({ InstanceId = '' }) => InstanceId))];
}

const invalidInstance = (id: string): AwsError =>
  new AwsError('InvalidInstance', `Could not find EC2 instance ${id.slice(0, 100)}.`);

function viewInstances({ instances: ids }: ClassicRecord): { readonly Instances: Of<typeof instances> } {
  return { Instances: ids.map((InstanceId) => ({ InstanceId })) };
}

/**
 * Writes a load balancer, with a target for each of its instances in each group that its listeners go to. What is no target any more
 * drains, or is gone where nothing gets requests from it.
 * @throws InvalidInstance for one that is not there, or does not run
 */
export async function keep(scene: Scene, draft: Draft, record: ClassicRecord): Promise<ClassicRecord> {
  const { api, account } = scene;
  draft.put('classic', record);
  const groups = new Map(record.listeners.map((one) => [classicGroupId(record, one), one.instancePort]));
  for (const target of targetsOf(draft, record)) {
    if (target.deregisteredAt !== undefined) continue;
    if (!groups.has(target.groupId)) draft.remove('target', target.id);
    else if (!record.instances.includes(target.targetId)) draft.put('target', { ...target, deregisteredAt: draft.now });
  }
  for (const [groupId, port] of groups)
    for (const targetId of record.instances) {
      const isThere = draft
        .targetsOf(groupId)
        .some((one) => one.targetId === targetId && one.deregisteredAt === undefined);
      if (isThere) continue;
      const instance = await api.instances.find(account, targetId);
      if (instance?.running !== true) throw invalidInstance(targetId);
      draft.put('target', {
        id: draft.newId(),
        groupId,
        targetId,
        port,
        address: instance.address,
        registeredAt: draft.now,
        health: { state: 'initial' },
        tags: {},
      });
    }
  return record;
}

/** Every target of a load balancer's, also of listeners that are gone. */
export const targetsOf = (balancing: Balancing, { id }: ClassicRecord): readonly TargetRecord[] =>
  balancing.all('target').filter(({ groupId }) => groupId.startsWith(`${id}-`));

/** How an instance is: well where it is well for every listener (ELB API reference, InstanceState). */
function stateOf(balancing: Balancing, record: ClassicRecord, InstanceId: string): Of<typeof state> {
  const targets = targetsOf(balancing, record).filter(({ targetId }) => targetId === InstanceId);
  const registered = targets.filter(({ deregisteredAt }) => deregisteredAt === undefined);
  const out = { InstanceId, State: 'OutOfService' };
  if (registered.length === 0 && targets.length > 0)
    return {
      InstanceId,
      State: 'InService',
      ReasonCode: 'N/A',
      Description: 'Instance deregistration currently in progress.',
    };
  if (!record.instances.includes(InstanceId))
    return {
      ...out,
      ReasonCode: 'Instance',
      Description: 'Instance is not currently registered with the LoadBalancer.',
    };
  const bad = registered.find(({ health }) => health.state === 'unhealthy');
  if (bad !== undefined)
    return {
      ...out,
      ReasonCode: 'Instance',
      Description:
        `Instance has failed at least the UnhealthyThreshold number of health checks consecutively. ${bad.health.description ?? ''}`.trim(),
    };
  if (registered.some(({ health }) => health.state !== 'healthy'))
    return { ...out, ReasonCode: 'ELB', Description: 'Instance registration is still in progress.' };
  return { InstanceId, State: 'InService', ReasonCode: 'N/A', Description: 'N/A' };
}
