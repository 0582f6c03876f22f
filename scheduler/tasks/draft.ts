import type { ContainerDefinition, TaskOverride } from '@aws-sdk/client-ecs';
import {
  arns,
  type CapacityProvider,
  type ContainerRecord,
  type NetworkConfiguration,
  type Tags,
  type TaskDefinitionRecord,
  type TaskRecord,
} from '../state/index.ts';

import { bodyOf, containersOf } from './definition.ts';
import { storageOf } from './ephemeral-storage.ts';
import { applyOverrides } from './overrides.ts';
import { reservationOf } from './reservation.ts';

/** A task that has no instance yet: the placer adds `instanceId` and commits it. */
export type TaskDraft = Omit<TaskRecord, 'instanceId'>;

/** What makes one task different from the next of the same revision. */
export interface TaskDraftOptions {
  readonly region: string;
  readonly account: string;
  readonly cluster: string;
  /** 32 hexadecimal digits, from `newId`. Placing the same id twice places one task. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** `service:<name>`, `family:<family>` or the caller's own. */
  readonly group: string;
  /** The deployment's id for tasks of a service, otherwise the caller's text. */
  readonly startedBy?: string;
  readonly service?: { readonly name: string; readonly deploymentId: string };
  /** Checked by `checkOverrides` before. */
  readonly overrides?: TaskOverride;
  readonly tags: Tags;
  readonly launchType: TaskRecord['launchType'];
  readonly capacityProvider?: CapacityProvider;
  /** Where its network interface is to be; with `awsvpc` networking, and only then. */
  readonly network?: NetworkConfiguration;
  readonly clientToken?: string;
  readonly enableExecuteCommand?: boolean;
}

/** A new task of a revision, PENDING, or PROVISIONING while it has no network interface yet, with its containers and what it will reserve. Used by RunTask, StartTask and the service reconciler. */
export function taskDraft(definition: TaskDefinitionRecord, options: TaskDraftOptions): TaskDraft {
  const body = applyOverrides(bodyOf(definition), options.overrides);
  const reservation = reservationOf(body);
  return {
    id: options.id,
    arn: arns.task(options.region, options.account, options.cluster, options.id),
    taskDefinition: definition.arn,
    group: options.group,
    ...(options.startedBy === undefined ? {} : { startedBy: options.startedBy }),
    ...(options.service === undefined ? {} : { service: options.service }),
    reservation,
    desiredStatus: 'RUNNING',
    lastStatus: options.network === undefined ? 'PENDING' : 'PROVISIONING',
    healthStatus: 'UNKNOWN',
    containers: containersOf(body).map((container) => containerRecord(container, containersOf(body))),
    ...(options.overrides === undefined ? {} : { overrides: options.overrides }),
    cpu: String(reservation.cpu),
    memory: String(reservation.memory),
    launchType: options.launchType,
    ...(options.launchType === 'FARGATE' ? { ephemeralStorage: storageOf(body) } : {}),
    ...(options.capacityProvider === undefined ? {} : { capacityProvider: options.capacityProvider }),
    ...(options.network === undefined ? {} : { network: options.network }),
    createdAt: options.now,
    tags: options.tags,
    enableExecuteCommand: options.enableExecuteCommand ?? false,
    ...(options.clientToken === undefined ? {} : { clientToken: options.clientToken }),
    version: 1,
  };
}

function containerRecord(container: ContainerDefinition, all: readonly ContainerDefinition[]): ContainerRecord {
  const awaited = all.some(({ dependsOn = [] }) =>
    dependsOn.some(({ containerName, condition }) => containerName === container.name && condition === 'HEALTHY'),
  );
  return {
    name: container.name ?? '',
    image: container.image ?? '',
    essential: container.essential ?? true,
    checksHealth: container.healthCheck !== undefined,
    ...(awaited ? { awaited } : {}),
    ...(container.cpu === undefined ? {} : { cpu: container.cpu }),
    ...(container.memory === undefined ? {} : { memory: container.memory }),
    ...(container.memoryReservation === undefined ? {} : { memoryReservation: container.memoryReservation }),
    lastStatus: 'PENDING',
    healthStatus: 'UNKNOWN',
    networkBindings: [],
  };
}

/** The tags of a new task: its own before propagated ones, and the managed tags when they are asked for. */
export function taskTags(parts: {
  readonly own?: Tags;
  readonly propagated?: Tags;
  /** Set when `enableECSManagedTags` is. */
  readonly managed?: { readonly cluster: string; readonly service?: string };
}): Tags {
  return {
    ...parts.propagated,
    ...parts.own,
    ...(parts.managed === undefined ? {} : { 'aws:ecs:clusterName': parts.managed.cluster }),
    ...(parts.managed?.service === undefined ? {} : { 'aws:ecs:serviceName': parts.managed.service }),
  };
}
