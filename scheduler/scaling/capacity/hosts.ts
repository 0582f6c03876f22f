import type { ServiceRequests } from '../../control/index.ts';
import { startedAs } from '../../deployments/index.ts';
import type { BlankHost, PlacementRequest } from '../../placement/index.ts';
import type { HostShape, InstanceRecord, TaskRecord } from '../../state/index.ts';
import { type ClusterView, placedTask } from '../../views/index.ts';
import type { CapacityHost } from '../rules/index.ts';
import type { SizedGroup, SizedMachine } from './ports.ts';
import type { KnownDefinitions } from './waiting.ts';

/** Tasks on an instance that keep it from being empty: all but those of daemon services, which go with it. */
export const holdersOf = (view: ClusterView, instance: string): TaskRecord[] =>
  view
    .liveTasksOn(instance)
    .filter(({ service }) => view.services.get(service?.name ?? '')?.value.schedulingStrategy !== 'DAEMON');

/**
 * Whether a task goes elsewhere when its host is emptied: not one of no service of the provider, nor one that is protected from scale-in, or of a service
 * that is being deployed.
 */
function mayMove(
  view: ClusterView,
  { service: of, protectedUntil = 0 }: TaskRecord,
  definitions: KnownDefinitions,
  now: number,
): boolean {
  const [deployment, ...others] = view.services.get(of?.name ?? '')?.value.deployments ?? [];
  if (deployment === undefined || deployment.id !== of?.deploymentId || others.length > 0) return false;
  return definitions.has(deployment.taskDefinition) && protectedUntil <= now;
}

/**
 * Machines as managed scaling sees them. Whoever is drained by somebody else is left out: such a host is neither room nor too many.
 * None is to be ended that is protected from scale-in, or whose group ends none just now.
 * @returns also how many were left out
 */
export function hostsOf(
  view: ClusterView,
  { suspended }: Pick<SizedGroup, 'suspended'>,
  machines: readonly SizedMachine[],
  definitions: KnownDefinitions,
  now: number,
): { readonly hosts: CapacityHost[]; readonly drained: number } {
  let drained = 0;
  const hosts = machines.flatMap((machine): CapacityHost[] => {
    const { id, instance: of, state, stateAt: since } = machine;
    // Protection begins when a machine is in service (EC2 Auto Scaling user guide, "Use instance scale-in protection").
    const open = (state === 'Pending' || !machine.protected) && !suspended.includes('Terminate');
    if (state === 'Terminating') return [];
    const instance = view.instances.get(of)?.value;
    const isThere = instance !== undefined && instance.status !== 'INACTIVE' && state === 'InService';
    if (!isThere) return [{ id, state: 'coming', tasks: 0, since, open }];
    const holders = holdersOf(view, of);
    const tasks = holders.length;
    const fixed = holders.some((task) => !mayMove(view, task, definitions, now));
    if (instance.status === 'ACTIVE') return [{ id, state: 'ready', tasks, since, open, fixed }];
    if (instance.surplusAt !== undefined) return [{ id, state: 'emptying', tasks, since, open }];
    drained++;
    return [];
  });
  return { hosts, drained };
}

/** What a host of the group is like that has joined, as the next ones will be that are made from the same. */
export const shapeOf = (
  { cpu, memory, gpuIds, attributes, reservedTcpPorts, reservedUdpPorts }: InstanceRecord,
  { template, instanceType }: Pick<SizedMachine, 'template' | 'instanceType'>,
): HostShape => ({
  cpu,
  memory,
  gpus: gpuIds.length,
  attributes: attributes.filter(({ name }) => !own.has(name)),
  reservedTcpPorts,
  reservedUdpPorts,
  madeFrom: { template: template.id, version: template.version, instanceType },
});

/** Attributes in which hosts of one group differ. */
const own = new Set(['ecs.availability-zone', 'slipway.address', 'slipway.published-on', 'slipway.wireguard']);

/** An empty host of a shape in a zone. */
export const blankOf = (shape: HostShape, zone: string): BlankHost => ({
  cpu: shape.cpu,
  memory: shape.memory,
  gpus: shape.gpus,
  attributes: new Map([
    ...shape.attributes.map(({ name, value = '' }) => [name, value] as const),
    ['ecs.availability-zone', zone],
  ]),
  reservedTcpPorts: shape.reservedTcpPorts,
  reservedUdpPorts: shape.reservedUdpPorts,
});

/** What is asked of hosts that may be emptied. */
export interface Emptied {
  readonly instances: readonly string[];
  /** An instance, for what it runs once more, and one of its tasks again, there is to be room beside. */
  readonly like?: string | undefined;
}

/**
 * Whether all that keeps hosts from being empty may move, and has room on others. Asks the placement core, and changes nothing.
 */
export function canEmpty(
  view: ClusterView,
  { instances, like }: Emptied,
  requests: ServiceRequests,
  definitions: KnownDefinitions,
  now: number,
): boolean {
  const { index } = view;
  const tasks = instances.flatMap((instance) => holdersOf(view, instance));
  const again = like === undefined ? [] : holdersOf(view, like);
  const requestOf = (task: TaskRecord): PlacementRequest | undefined => {
    const service = view.services.get(task.service?.name ?? '')?.value;
    const deployment = service?.deployments.find(({ id }) => id === task.service?.deploymentId);
    const definition = definitions.get(deployment?.taskDefinition ?? '');
    if (service === undefined || deployment === undefined || definition === undefined) return undefined;
    return requests.of(startedAs(service, deployment), definition, task.capacityProvider).request;
  };
  const place = (task: TaskRecord, request: PlacementRequest, as: string): boolean => {
    const found = index.place(request);
    if ('unplaceable' in found || instances.includes(found.instanceId)) return false;
    index.addTask(placedTask({ ...task, id: as }, found.instanceId));
    return true;
  };
  return index.tentatively(() => {
    // Nothing comes back to the hosts themselves.
    for (const instance of instances) {
      const free = index.free(instance);
      if (free === undefined) continue;
      index.addTask({
        id: `full-${instance}`,
        instanceId: instance,
        group: 'full',
        shape: { ...free, tcpPorts: [], udpPorts: [], requires: [] },
      });
    }
    const doMove = tasks.every((task) => {
      const request = requestOf(task);
      if (request === undefined || !mayMove(view, task, definitions, now)) return false;
      index.setLeaving(task.id, true);
      return place(task, request, `moved-${task.id}`);
    });
    return (
      doMove &&
      [...again, ...again.slice(0, 1)].every((task, number) =>
        place(task, requestOf(task) ?? aloneAs(task), `again-${number}-${task.id}`),
      )
    );
  });
}

/** What another task like one of no service asks for: as much as it takes. */
const aloneAs = ({ group, reservation }: TaskRecord): PlacementRequest => ({
  group,
  shape: { ...reservation, requires: [] },
  constraints: [],
  strategies: [],
  kind: 'standalone',
});
