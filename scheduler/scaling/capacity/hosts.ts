import type { ServiceRequests } from '../../control/index.ts';
import { startedAs } from '../../deployments/index.ts';
import type { BlankHost, PlacementRequest } from '../../placement/index.ts';
import type { HostShape, InstanceRecord, ServiceRecord, TaskRecord } from '../../state/index.ts';
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
 * Machines as managed scaling sees them. Whoever is drained by somebody else is left out: such a host is neither room nor too many.
 * None is to be ended that is protected from scale-in, or whose group ends none just now.
 * @returns also how many were left out
 */
export function hostsOf(
  view: ClusterView,
  { suspended }: Pick<SizedGroup, 'suspended'>,
  machines: readonly SizedMachine[],
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
    const tasks = holdersOf(view, of).length;
    if (instance.status === 'ACTIVE') return [{ id, state: 'ready', tasks, since, open }];
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
 * Tasks of no service cannot move, nor those that are protected from scale-in.
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
  const startOf = (task: TaskRecord): Start | undefined => {
    const service = view.services.get(task.service?.name ?? '')?.value;
    const deployment = service?.deployments.find(({ id }) => id === task.service?.deploymentId);
    const definition = definitions.get(deployment?.taskDefinition ?? '');
    if (service === undefined || deployment === undefined || definition === undefined) return undefined;
    return { service, request: requests.of(startedAs(service, deployment), definition, task.capacityProvider).request };
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
      const start = startOf(task);
      if (start === undefined || (task.protectedUntil ?? 0) > now || start.service.deployments.length > 1) return false;
      index.setLeaving(task.id, true);
      return place(task, start.request, `moved-${task.id}`);
    });
    return (
      doMove &&
      [...again, ...again.slice(0, 1)].every((task, number) =>
        place(task, startOf(task)?.request ?? aloneAs(task), `again-${number}-${task.id}`),
      )
    );
  });
}

interface Start {
  readonly service: ServiceRecord;
  readonly request: PlacementRequest;
}

/** What another task like one of no service asks for: as much as it takes. */
const aloneAs = ({ group, reservation }: TaskRecord): PlacementRequest => ({
  group,
  shape: { ...reservation, requires: [] },
  constraints: [],
  strategies: [],
  kind: 'standalone',
});
