import type { ContainerDefinition, ECSClient, Service, Task, TaskDefinition } from '@aws-sdk/client-ecs';
import { followTag } from '@slipway/scheduler/services';
import {
  describeInstances,
  instanceOf,
  lastPart,
  readDefinition,
  readServices,
  readTasks,
} from '../cluster-snapshot.ts';
import { type Snapshot } from './snapshot.ts';

/**
 * Reads a running cluster with the caller's rights (List* and Describe* alone) into a snapshot. It takes over only members
 * that are named here, so that nothing secret comes along: no environment, commands, roles, log options or tags.
 */
export async function takeSnapshot(client: ECSClient, cluster: string): Promise<Snapshot> {
  const instances = await describeInstances(client, cluster);
  const known = new Set(instances.map(({ containerInstanceArn = '' }) => lastPart(containerInstanceArn)));
  const services = [...(await readServices(client, cluster)).values()].filter(
    ({ status, deploymentController }) => status === 'ACTIVE' && deploymentController?.type !== 'EXTERNAL',
  );
  const named = new Set(services.map(({ serviceName }) => serviceName));
  const tasks = (await readTasks(client, cluster)).filter(
    ({ desiredStatus, containerInstanceArn = '' }) =>
      desiredStatus === 'RUNNING' && known.has(lastPart(containerInstanceArn)),
  );
  const wanted = new Set([...tasks.map(definitionOf), ...services.map(({ taskDefinition = '' }) => taskDefinition)]);
  const definitions: TaskDefinition[] = [];
  for (const arn of wanted) definitions.push(await readDefinition(client, arn));
  return {
    format: 'slipway cluster snapshot',
    version: 1,
    takenAt: new Date().toISOString(),
    cluster: lastPart(cluster),
    instances: instances.map((instance) => {
      const { id, cpu, memory, attributes, agentConnected } = instanceOf(instance);
      const status = instance.status === 'DRAINING' ? 'DRAINING' : 'ACTIVE';
      return { id, status, agentConnected, cpu, memory, attributes: Object.fromEntries(attributes) };
    }),
    definitions: definitions.map(definitionView),
    services: services.map(serviceView),
    tasks: tasks.map((task) => {
      const service = /^service:(.*)$/s.exec(task.group ?? '')?.[1];
      return {
        id: lastPart(task.taskArn ?? ''),
        instance: lastPart(task.containerInstanceArn ?? ''),
        definition: lastPart(definitionOf(task)),
        ...(service !== undefined && named.has(service) ? { service } : {}),
      };
    }),
  };
}

const definitionOf = ({ taskDefinitionArn = '' }: Task): string => taskDefinitionArn;

/** An object without its undefined members. */
function present<T extends object>(members: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as never;
}

type Definition = Snapshot['definitions'][number];

function definitionView(definition: TaskDefinition): Definition {
  const { networkMode, cpu, memory, placementConstraints = [], containerDefinitions = [] } = definition;
  // A task with addresses of its own takes no port of its host; it is played behind ports that the engine picks.
  const mode = networkMode === 'host' || networkMode === 'none' ? networkMode : 'bridge';
  const ownAddress = networkMode === 'awsvpc';
  return present({
    name: lastPart(definition.taskDefinitionArn ?? ''),
    networkMode: mode,
    cpu,
    memory,
    constraints: placementConstraints.map(({ type = '', expression }) => present({ type, expression })),
    requires: (definition.requiresAttributes ?? []).flatMap(({ name }) => name ?? []),
    containers: containerDefinitions.map((container) => containerView(container, ownAddress)),
  }) as Definition;
}

function containerView(container: ContainerDefinition, ownAddress: boolean): Definition['containers'][number] {
  const { name = '', image = '', essential = true, cpu, memory, memoryReservation, stopTimeout } = container;
  const check = container.healthCheck;
  return present({
    name,
    image,
    essential,
    cpu,
    memory,
    memoryReservation,
    stopTimeout,
    ports: (container.portMappings ?? []).flatMap(({ containerPort, hostPort = 0, protocol = 'tcp' }) =>
      containerPort === undefined ? [] : { containerPort, hostPort: ownAddress ? 0 : hostPort, protocol },
    ),
    healthCheck:
      check === undefined || check.command?.[0] === 'NONE'
        ? undefined
        : present({
            interval: check.interval ?? 30,
            timeout: check.timeout ?? 5,
            retries: check.retries ?? 3,
            startPeriod: check.startPeriod,
          }),
    dependsOn: (container.dependsOn ?? []).map((one) => ({
      container: one.containerName ?? '',
      condition: one.condition ?? 'START',
    })),
  }) as Definition['containers'][number];
}

function serviceView(service: Service): Snapshot['services'][number] {
  const { deploymentConfiguration: bounds = {}, placementConstraints = [], placementStrategy = [] } = service;
  const breaker = bounds.deploymentCircuitBreaker;
  const threshold = breaker?.thresholdConfiguration;
  return present({
    name: service.serviceName ?? '',
    definition: lastPart(service.taskDefinition ?? ''),
    strategy: service.schedulingStrategy === 'DAEMON' ? 'DAEMON' : 'REPLICA',
    desiredCount: service.desiredCount ?? 0,
    minimumHealthyPercent: bounds.minimumHealthyPercent ?? 100,
    maximumPercent: bounds.maximumPercent ?? 200,
    circuitBreaker:
      breaker?.enable === true
        ? present({
            rollback: breaker.rollback === true,
            resetOnHealthyTask: breaker.resetOnHealthyTask,
            threshold:
              threshold?.type === undefined || threshold.value === undefined
                ? undefined
                : { type: threshold.type, value: threshold.value },
          })
        : undefined,
    graceSeconds: service.healthCheckGracePeriodSeconds,
    constraints: placementConstraints.map(({ type = '', expression }) => present({ type, expression })),
    placement: placementStrategy.map(({ type = '', field }) => present({ type, field })),
    evensZones: service.availabilityZoneRebalancing === 'ENABLED' ? true : undefined,
    follow: service.tags?.find(({ key }) => key === followTag)?.value,
  }) as Snapshot['services'][number];
}
