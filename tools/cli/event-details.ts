import type { Container, ContainerInstance, Resource, Task } from '@aws-sdk/client-ecs';

/**
 * Details of events as ECS sends them (ECS developer guide, "Amazon ECS events"): the members of DescribeTasks and DescribeContainerInstances,
 * with times as text.
 */

const text = (time: Date | undefined): string | undefined => time?.toISOString();

/** The states that are told, in their order. */
const order = ['PENDING', 'RUNNING', 'STOPPED'] as const;
export type ToldStatus = (typeof order)[number];

/** A task as it was when it came into a state: what came later is left out. @param time when that was */
export function taskDetail(task: Task, lastStatus: ToldStatus, time: Date): Readonly<Record<string, unknown>> {
  const isNow = task.lastStatus === lastStatus;
  const upTo = (at: Date | undefined): string | undefined =>
    isNow || (at !== undefined && at.getTime() <= time.getTime()) ? text(at) : undefined;
  const over = lastStatus === 'STOPPED';
  return {
    attachments: task.attachments ?? [],
    attributes: task.attributes,
    availabilityZone: task.availabilityZone,
    capacityProviderName: task.capacityProviderName,
    clusterArn: task.clusterArn,
    connectivity: isNow ? task.connectivity : undefined,
    connectivityAt: upTo(task.connectivityAt),
    containerInstanceArn: task.containerInstanceArn,
    containers: (task.containers ?? []).map((one) => containerDetail(one, isNow ? undefined : lastStatus)),
    cpu: task.cpu,
    createdAt: upTo(task.createdAt),
    desiredStatus: isNow ? task.desiredStatus : over ? 'STOPPED' : 'RUNNING',
    enableExecuteCommand: task.enableExecuteCommand,
    ephemeralStorage: task.ephemeralStorage,
    executionStoppedAt: upTo(task.executionStoppedAt),
    group: task.group,
    lastStatus,
    launchType: task.launchType,
    memory: task.memory,
    overrides: { ...task.overrides, containerOverrides: task.overrides?.containerOverrides ?? [] },
    platformVersion: task.platformVersion,
    pullStartedAt: upTo(task.pullStartedAt),
    pullStoppedAt: upTo(task.pullStoppedAt),
    startedAt: upTo(task.startedAt),
    startedBy: task.startedBy,
    stopCode: over ? task.stopCode : undefined,
    stoppedAt: upTo(task.stoppedAt),
    stoppedReason: over ? task.stoppedReason : undefined,
    stoppingAt: upTo(task.stoppingAt),
    taskArn: task.taskArn,
    taskDefinitionArn: task.taskDefinitionArn,
    updatedAt: time.toISOString(),
    version: versionAt(task, lastStatus),
  };
}

/** It grows with each state; of one that has passed it is told in which order it was. */
function versionAt({ version, lastStatus }: Task, then: ToldStatus): number | undefined {
  if (version === undefined) return undefined;
  const now = order.indexOf(lastStatus as ToldStatus);
  return Math.max(1, version - Math.max(0, now - order.indexOf(then)));
}

/** @param then the state that the task has left; undefined: it is in it */
function containerDetail(one: Container, then: ToldStatus | undefined): Readonly<Record<string, unknown>> {
  return {
    containerArn: one.containerArn,
    ...(then === undefined ? { exitCode: one.exitCode, reason: one.reason, healthStatus: one.healthStatus } : {}),
    lastStatus: then ?? one.lastStatus,
    name: one.name,
    image: one.image,
    imageDigest: one.imageDigest,
    runtimeId: then === 'PENDING' ? undefined : one.runtimeId,
    taskArn: one.taskArn,
    networkBindings: then === 'PENDING' ? undefined : one.networkBindings,
    networkInterfaces: one.networkInterfaces ?? [],
    cpu: one.cpu,
    memory: one.memory,
    memoryReservation: one.memoryReservation,
    gpuIds: one.gpuIds,
    managedAgents: then === undefined ? one.managedAgents : undefined,
  };
}

/** How a host stands. @param time when that was seen */
export function hostDetail(host: ContainerInstance, time: Date): Readonly<Record<string, unknown>> {
  const { containerInstanceArn = '', attributes, registeredResources, remainingResources } = host;
  const [head = '', cluster] = containerInstanceArn.split(':container-instance/');
  return {
    agentConnected: host.agentConnected ?? false,
    attributes: (attributes ?? []).map(({ name, value }) => (value === undefined ? { name } : { name, value })),
    clusterArn: cluster === undefined ? undefined : `${head}:cluster/${cluster.split('/')[0]}`,
    containerInstanceArn,
    ec2InstanceId: host.ec2InstanceId,
    registeredResources: (registeredResources ?? []).map(resourceDetail),
    remainingResources: (remainingResources ?? []).map(resourceDetail),
    status: host.status,
    statusReason: host.statusReason,
    version: host.version,
    versionInfo: host.versionInfo,
    registeredAt: text(host.registeredAt),
    updatedAt: time.toISOString(),
  };
}

const valueOf: Readonly<Record<string, keyof Resource>> = {
  INTEGER: 'integerValue',
  LONG: 'longValue',
  DOUBLE: 'doubleValue',
  STRINGSET: 'stringSetValue',
};

/** A resource with the value of its type alone. */
function resourceDetail(resource: Resource): Readonly<Record<string, unknown>> {
  const { name, type = '' } = resource;
  const member = valueOf[type];
  return { name, type, ...(member === undefined ? {} : { [member]: resource[member] }) };
}
