import type {
  Attachment,
  Attribute,
  Container,
  ManagedAgent,
  Task,
  TaskField,
  TaskOverride,
} from '@aws-sdk/client-ecs';
import { smallTagList } from '@slipway/auth/kit';
import { hash } from 'node:crypto';

import {
  arns,
  type ContainerRecord,
  type InstanceRecord,
  isolationAttribute,
  type TaskRecord,
} from '../state/index.ts';

const zone = 'ecs.availability-zone';
const architecture = 'ecs.cpu-architecture';

/** Where the task is, for its ARNs. */
export interface TaskHome {
  readonly region: string;
  readonly account: string;
  readonly cluster: string;
}

/** A task as DescribeTasks gives it back. @param instance the one it is placed on, while it is known */
export function taskView(
  home: TaskHome,
  task: TaskRecord,
  instance: InstanceRecord | undefined,
  include: readonly TaskField[] = [],
): Task {
  const attributes = instance?.attributes ?? [];
  const value = (name: string): string | undefined => attributes.find((attribute) => attribute.name === name)?.value;
  const cpuArchitecture = value(architecture);
  return compact<Task>({
    taskArn: task.arn,
    clusterArn: arns.cluster(home.region, home.account, home.cluster),
    taskDefinitionArn: task.taskDefinition,
    // Fargate shows nobody where its tasks are.
    containerInstanceArn:
      task.launchType === 'FARGATE'
        ? undefined
        : task.instanceId && arns.containerInstance(home.region, home.account, home.cluster, task.instanceId),
    attachments: attachmentsOf(task),
    attributes: [
      ...(cpuArchitecture === undefined ? [] : [{ name: architecture, value: cpuArchitecture }]),
      ...(task.ephemeralStorage === undefined ? [] : ofHost(attributes, 'slipway.storage')),
      ...(task.isolation === undefined ? [] : [{ name: isolationAttribute, value: task.isolation }]),
    ],
    availabilityZone: value(zone),
    ...(instance === undefined
      ? {}
      : {
          connectivity: instance.agentConnected ? ('CONNECTED' as const) : ('DISCONNECTED' as const),
          connectivityAt: new Date(instance.connectivityChangedAt),
        }),
    containers: task.containers.map((container) => containerView(home, task, container, instance)),
    cpu: task.cpu,
    memory: task.memory,
    createdAt: new Date(task.createdAt),
    pullStartedAt: date(task.pullStartedAt),
    pullStoppedAt: date(task.pullStoppedAt),
    startedAt: date(task.startedAt),
    stoppingAt: date(task.stoppingAt),
    executionStoppedAt: date(task.executionStoppedAt),
    stoppedAt: date(task.stoppedAt),
    desiredStatus: task.desiredStatus,
    lastStatus: task.lastStatus,
    healthStatus: task.healthStatus,
    enableExecuteCommand: task.enableExecuteCommand,
    group: task.group,
    startedBy: task.startedBy,
    launchType: task.launchType,
    capacityProviderName: task.capacityProvider,
    ...(task.launchType === 'FARGATE' ? { platformVersion: fargatePlatform, platformFamily: 'Linux' } : {}),
    ...(task.ephemeralStorage === undefined ? {} : storageView(task.ephemeralStorage)),
    overrides: overridesView(task),
    stopCode: task.stopCode,
    stoppedReason: task.stoppedReason,
    tags: include.includes('TAGS') ? smallTagList(task.tags) : [],
    version: task.version,
  });
}

/** An attribute of its host that a task shows: how it is held to what it has. */
const ofHost = (attributes: InstanceRecord['attributes'], name: string): Attribute[] =>
  attributes.flatMap((attribute) => (attribute.name === name ? [{ name, value: attribute.value ?? '' }] : []));

/** The storage of a task under both names that ECS has for it. */
const storageView = (sizeInGiB: number): Pick<Task, 'ephemeralStorage' | 'fargateEphemeralStorage'> => ({
  ephemeralStorage: { sizeInGiB },
  fargateEphemeralStorage: { sizeInGiB },
});

/** The version of the platform that LATEST means, and every other one runs as. */
export const fargatePlatform = '1.4.0';

/** The network interface as everybody reads it: private addresses of tasks are looked for here (API reference, Attachment). */
function attachmentsOf({ attachment, lastStatus }: TaskRecord): Attachment[] {
  if (attachment === undefined) return [];
  const details = {
    subnetId: attachment.subnet,
    networkInterfaceId: attachment.networkInterface,
    macAddress: attachment.mac,
    privateDnsName: attachment.privateDnsName,
    privateIPv4Address: attachment.address,
  };
  const status =
    lastStatus === 'STOPPED'
      ? 'DELETED'
      : lastStatus === 'DEPROVISIONING'
        ? 'DETACHING'
        : lastStatus === 'PROVISIONING' || lastStatus === 'PENDING'
          ? 'ATTACHING'
          : 'ATTACHED';
  return [
    {
      id: attachment.id,
      type: 'ElasticNetworkInterface',
      status,
      details: Object.entries(details).map(([name, value]) => ({ name, value })),
    },
  ];
}

/** Agents with this attribute run commands in containers of their tasks. */
const execAttribute = 'slipway.capability.exec';

/**
 * How it stands with ECS Exec in a container of a task that was started with it: the agent of its host serves it while the container
 * runs. One of AWS's, or an older one of ours, does not.
 */
export function managedAgent(
  task: TaskRecord,
  { name, lastStatus }: ContainerRecord,
  instance: InstanceRecord | undefined,
): ManagedAgent | undefined {
  if (!task.enableExecuteCommand) return undefined;
  const agent = { name: 'ExecuteCommandAgent' as const };
  if (lastStatus === 'PENDING') return { ...agent, lastStatus: 'PENDING' };
  const serves = instance?.attributes.some((attribute) => attribute.name === execAttribute) === true;
  if (lastStatus !== 'RUNNING' || task.lastStatus === 'STOPPED') return { ...agent, lastStatus: 'STOPPED' };
  return serves
    ? {
        ...agent,
        lastStatus: 'RUNNING',
        ...(task.startedAt === undefined ? {} : { lastStartedAt: new Date(task.startedAt) }),
      }
    : { ...agent, lastStatus: 'STOPPED', reason: `The agent of the host of ${name} does not serve ECS Exec.` };
}

function containerView(
  home: TaskHome,
  task: TaskRecord,
  container: ContainerRecord,
  instance: InstanceRecord | undefined,
): Container {
  const agent = managedAgent(task, container, instance);
  return compact<Container>({
    containerArn: containerArn(home, task.id, container.name),
    taskArn: task.arn,
    name: container.name,
    image: container.image,
    imageDigest: container.imageDigest,
    runtimeId: container.runtimeId,
    lastStatus: container.lastStatus,
    exitCode: container.exitCode,
    reason: container.reason,
    networkBindings: container.networkBindings.map((binding) => ({ ...binding })),
    networkInterfaces:
      task.attachment === undefined
        ? []
        : [{ attachmentId: task.attachment.id, privateIpv4Address: task.attachment.address }],
    healthStatus: container.healthStatus,
    managedAgents: agent === undefined ? undefined : [agent],
    cpu: container.cpu === undefined ? '0' : String(container.cpu),
    memory: container.memory === undefined ? undefined : String(container.memory),
    memoryReservation: container.memoryReservation === undefined ? undefined : String(container.memoryReservation),
  });
}

/** Containers have no record of their own; their ids follow from the task's, so they never change. */
export function containerArn(home: TaskHome, task: string, container: string): string {
  const digest = hash('sha256', `${task}/${container}`, 'hex');
  const id = digest.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return `arn:aws:ecs:${home.region}:${home.account}:container/${home.cluster}/${task}/${id}`;
}

/** ECS lists every container of the task, overridden or not. */
function overridesView(task: TaskRecord): TaskOverride {
  const given = (task.overrides ?? {}) as TaskOverride;
  const byName = new Map((given.containerOverrides ?? []).map((override) => [override.name, override]));
  return {
    ...given,
    containerOverrides: task.containers.map(({ name }) => byName.get(name) ?? { name }),
    inferenceAcceleratorOverrides: [],
  };
}

const date = (milliseconds: number | undefined): Date | undefined =>
  milliseconds === undefined ? undefined : new Date(milliseconds);

/** Without the members that are undefined: absent on the wire, too. */
function compact<T extends object>(view: T): T {
  return Object.fromEntries(Object.entries(view).filter(([, value]) => value !== undefined)) as T;
}
