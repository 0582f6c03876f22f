import type { ContainerInstance, ContainerInstanceField, Resource } from '@aws-sdk/client-ecs';
import { smallTagList } from '@slipway/auth/kit';

import {
  type ClusterRecord,
  ec2InstanceId,
  groupAttribute,
  type InstanceRecord,
  isPending,
  type TaskRecord,
} from '../state/index.ts';

/**
 * A container instance as DescribeContainerInstances gives it back.
 * @param tasks the live tasks placed on it: their reservations are what `remainingResources` lacks
 * @param groupProviders its cluster's
 */
export function instanceView(
  instance: InstanceRecord,
  tasks: readonly TaskRecord[],
  include: readonly ContainerInstanceField[] = [],
  groupProviders: ClusterRecord['groupProviders'] = [],
): ContainerInstance {
  const group = instance.attributes.find(({ name }) => name === groupAttribute)?.value;
  const provider = groupProviders.find((one) => one.group === group)?.name;
  return {
    containerInstanceArn: instance.arn,
    ec2InstanceId: ec2InstanceId(instance.id),
    ...(provider === undefined ? {} : { capacityProviderName: provider }),
    version: instance.version,
    versionInfo: {
      ...(instance.agentVersion === undefined ? {} : { agentVersion: instance.agentVersion }),
      ...(instance.agentHash === undefined ? {} : { agentHash: instance.agentHash }),
      ...(instance.dockerVersion === undefined ? {} : { dockerVersion: instance.dockerVersion }),
    },
    registeredResources: registered(instance),
    remainingResources: remaining(instance, tasks),
    status: instance.status,
    ...statusReason(instance),
    agentConnected: instance.agentConnected,
    // A host that is waited for to be empty is not while requests may still reach a task.
    runningTasksCount: tasks.filter(({ lastStatus }) => lastStatus === 'RUNNING' || lastStatus === 'DEACTIVATING')
      .length,
    pendingTasksCount: tasks.filter(isPending).length,
    attributes: instance.attributes.map(({ name, value }) => ({ name, ...(value === undefined ? {} : { value }) })),
    registeredAt: new Date(instance.registeredAt),
    attachments: [],
    tags: include.includes('TAGS') ? smallTagList(instance.tags) : [],
  };
}

function statusReason(instance: InstanceRecord): Pick<ContainerInstance, 'statusReason'> {
  if (!instance.agentConnected) return { statusReason: whyAway(instance) };
  if (instance.reclaimedAt === undefined) return found(instance);
  const command = `aws ecs update-container-instances-state --cluster ${clusterName(instance)} --container-instances ${instance.id} --status ACTIVE`;
  const since = new Date(instance.reclaimedAt).toISOString();
  return {
    statusReason: `Taken back since ${since}: its tasks end within two minutes. If it stays after all: ${command}`,
  };
}

/** What its agent found on its engine that is none of its own. */
function found({ strays }: InstanceRecord): Pick<ContainerInstance, 'statusReason'> {
  if (strays === undefined || strays.ended + strays.left === 0) return {};
  const stay =
    strays.left === 0
      ? ''
      : ` ${strays.left} of container instance ${strays.of.join(', ')} stay while they are wanted; deregister it if its agent does not come back.`;
  const since = new Date(strays.at).toISOString();
  return {
    statusReason: `Its Docker engine had containers of this installation that this agent does not know, as of ${since}: another agent's data folder was lost, or this one's is new. Those of ${strays.ended} tasks were ended.${stay}`,
  };
}

const clusterName = ({ arn }: InstanceRecord): string => arn.split('/').at(-2) ?? '';

/** What an operator reads beside a host that takes no tasks: since when, and what to do if that stays so. */
function whyAway(instance: InstanceRecord): string {
  const { id, status, connectionId, connectivityChangedAt } = instance;
  const since = new Date(connectivityChangedAt).toISOString();
  if (status === 'INACTIVE')
    return `Deregistered at ${since}. If its host comes back, its agent ends what ran there and registers it as a new container instance.`;
  if (connectionId !== undefined)
    return `Its container runtime does not work since ${since}: see to the Docker engine of that host.`;
  const command = `aws ecs deregister-container-instance --cluster ${clusterName(instance)} --container-instance ${id} --force`;
  return `Its agent is away since ${since}. When that host does not come back, take it out of the cluster: ${command}`;
}

const registered = (instance: InstanceRecord): Resource[] => [
  integer('CPU', instance.cpu),
  integer('MEMORY', instance.memory),
  strings('PORTS', instance.reservedTcpPorts.map(String)),
  strings('PORTS_UDP', instance.reservedUdpPorts.map(String)),
  ...(instance.gpuIds.length === 0 ? [] : [strings('GPU', instance.gpuIds)]),
];

/** Port lists name the ports that are taken, in both registered and remaining resources; GPUs name the free ones. */
function remaining(instance: InstanceRecord, tasks: readonly TaskRecord[]): Resource[] {
  let { cpu, memory } = instance;
  let gpus = 0;
  const tcp = new Set(instance.reservedTcpPorts);
  const udp = new Set(instance.reservedUdpPorts);
  for (const { reservation } of tasks) {
    cpu -= reservation.cpu;
    memory -= reservation.memory;
    gpus += reservation.gpus;
    for (const port of reservation.tcpPorts) tcp.add(port);
    for (const port of reservation.udpPorts) udp.add(port);
  }
  return [
    integer('CPU', cpu),
    integer('MEMORY', memory),
    strings('PORTS', [...tcp].map(String)),
    strings('PORTS_UDP', [...udp].map(String)),
    ...(instance.gpuIds.length === 0 ? [] : [strings('GPU', instance.gpuIds.slice(gpus))]),
  ];
}

const integer = (name: string, value: number): Resource => ({
  name,
  type: 'INTEGER',
  doubleValue: 0,
  longValue: 0,
  integerValue: value,
});

const strings = (name: string, values: readonly string[]): Resource => ({
  name,
  type: 'STRINGSET',
  doubleValue: 0,
  longValue: 0,
  integerValue: 0,
  stringSetValue: [...values],
});
