import { waitAtMost } from '@slipway/storage/clock';
import { StaleEpoch } from '@slipway/storage/records';

import { changeInstance, changeProvider, findProvider } from '../../cluster/index.ts';
import { type Led, readDefinition, ServiceRequests } from '../../control/index.ts';
import {
  type CapacityProviderRecord,
  groupAttribute,
  type InstanceRecord,
  sameRecord,
  type TaskDefinitionRecord,
} from '../../state/index.ts';
import { type CapacityPlan, decideCapacity } from '../rules/index.ts';
import { canEmpty, holdersOf, hostsOf } from './hosts.ts';
import { emptyOf, isAsNext, joined, needOf } from './need.ts';
import { unitsOf } from '../groups/index.ts';
import type { CapacityPorts, SizedGroup, SizedMachine } from './ports.ts';
import { type Seen, standingOf } from './standing.ts';
import { type InHosts, inHosts } from './units.ts';
import { type KnownDefinitions, servicesOn, waitingFor } from './waiting.ts';

/** Milliseconds between looks at the groups of a cluster. */
const interval = 5_000;

/** Sets of hosts that are tried in one look whether they can be emptied: those with the fewest tasks. */
const mostTried = 16;

/** What one leader remembers from look to look. */
export interface Memory {
  readonly surplusSince: Map<string, number>;
  readonly requests: ServiceRequests;
  /** Of each provider, the minute that its metric was told of last. */
  readonly told: Map<string, number>;
}

/** Keeps the groups of a cluster's capacity providers as large as its tasks need, beside the cluster's leader, until the signal aborts. */
export async function scaleCapacity(ports: CapacityPorts, led: Led, over: AbortSignal): Promise<void> {
  const { clock, log } = ports;
  const { view } = led;
  const memory = newMemory();
  while (!over.aborted) {
    for (const { name } of view.cluster?.groupProviders ?? []) {
      if (over.aborted) return;
      try {
        await lookAt(ports, view, name, memory);
      } catch (err) {
        // What is wrong with one group keeps no other one from being scaled.
        if (err instanceof StaleEpoch) return;
        log.warn({ cluster: view.name, provider: name, err }, 'cannot scale a capacity provider now; trying again');
      }
    }
    await waitAtMost(interval, () => {}, clock, over);
  }
}

export const newMemory = (): Memory => ({
  surplusSince: new Map(),
  requests: new ServiceRequests(),
  told: new Map(),
});

/** One look at a provider: what is seen, what follows from it, and that done. */
export async function lookAt(ports: CapacityPorts, view: Led['view'], name: string, memory: Memory): Promise<void> {
  const { clock, groups } = ports;
  const { account, name: cluster } = view;
  const provider = await findProvider(ports, account, name);
  if (provider === undefined) return;
  if (provider.managedScaling.status !== 'ENABLED') {
    await takeBack(ports, view, provider.group);
    return;
  }
  const group = await groups.byName(account, provider.group);
  if (group === undefined) {
    await tell(ports, account, provider, `There is no Auto Scaling group ${provider.group}.`);
    return;
  }
  const machines = (await groups.instancesOf(account, group.name)).filter((machine) => machine.cluster === cluster);
  const definitions = await definitionsOf(ports, view, name);
  const now = clock.now();
  const { hosts, drained } = hostsOf(view, group, machines, definitions, now);
  const size = inHosts(group, machines);
  const there = joined(view, machines);
  const shapes = [...there.map(({ shape }) => shape), provider.hostShape].filter((shape) => shape !== undefined);
  const waiting = waitingFor(view, name, memory.requests, definitions);
  // Only what waits asks what new hosts would be like.
  const next = waiting.length === 0 ? undefined : await ports.nextMachines(account, group.name);
  const byId = new Map(machines.map((machine) => [machine.id, machine]));
  const { needed, missing, impossible } = needOf(waiting, {
    group: { ...group, ...bounds(size) },
    shape: shapes.find((shape) => isAsNext(shape, next)),
    empty: emptyOf(there, hosts),
    coming: hosts.flatMap(({ id, state }) => (state === 'coming' ? (byId.get(id)?.zone ?? []) : [])),
  });
  const instanceOf = (id: string): string => byId.get(id)?.instance ?? '';
  let tries = 0;
  const plan = decideCapacity({
    rule: provider.managedScaling,
    group: withoutDrained(size, drained),
    hosts,
    needed,
    missing,
    canEmpty: (ids, like) => {
      const instances = ids.map(instanceOf);
      const isHeld = instances.some((instance) => holdersOf(view, instance).length > 0);
      if (isHeld && provider.managedTerminationProtection === 'ENABLED') return false;
      const asked = { instances, like: like === undefined ? undefined : instanceOf(like) };
      return tries++ < mostTried && canEmpty(view, asked, memory.requests, definitions, now);
    },
    surplusSince: memory.surplusSince.get(name),
    now,
  });
  if (plan.surplusSince === undefined) memory.surplusSince.delete(name);
  else memory.surplusSince.set(name, plan.surplusSince);
  const seen: Seen = {
    group: { ...group, ...bounds(size) },
    hosts,
    drained,
    waiting: waiting.length,
    impossible,
    needed,
    plan,
  };
  await tell(ports, account, provider, standingOf(seen), shapes[0]);
  await carryOut(ports, view, provider, { group, size, machines, drained, plan });
  await protect(ports, view, provider, machines, group.name);
  const minute = Math.floor(now / 60_000) * 60_000;
  if (memory.told.get(name) === minute) return;
  memory.told.set(name, minute);
  await ports.metrics.put(account, [reservationSample(cluster, name, plan.reservation, minute)]);
}

interface Work {
  readonly group: SizedGroup;
  readonly size: InHosts;
  readonly machines: readonly SizedMachine[];
  readonly drained: number;
  readonly plan: CapacityPlan;
}

async function carryOut(
  ports: CapacityPorts,
  { account, name: cluster }: Led['view'],
  { name }: CapacityProviderRecord,
  { group, size, machines, drained, plan }: Work,
): Promise<void> {
  const { groups, log, clock } = ports;
  const instanceOf = (id: string): string => machines.find((machine) => machine.id === id)?.instance ?? '';
  const change: (id: string, closed: boolean) => Promise<unknown> = (id, closed) =>
    changeInstance(ports, { account, cluster }, instanceOf(id), (instance) => {
      if (!closed) return reopened(instance);
      return instance.status === 'ACTIVE' ? { ...instance, status: 'DRAINING', surplusAt: clock.now() } : instance;
    });
  const desired = size.units(plan.desired + drained);
  const grows = desired > group.desired;
  for (const id of plan.keep) await change(id, false);
  for (const id of plan.empty) await change(id, true);
  const why = `capacity provider ${name}`;
  let left = group.desired;
  for (const id of plan.end) {
    left -= unitsOf(machines.filter((machine) => machine.id === id));
    // The next one may weigh less.
    if (left < group.min) break;
    await groups.terminate(account, id, { decrement: true, why, returns: true });
  }
  if (grows) await groups.setDesired(account, group.name, desired, why);
  if (plan.keep.length + plan.empty.length + plan.end.length > 0 || grows)
    log.info(
      { cluster, provider: name, desired, keep: plan.keep, empty: plan.empty, end: plan.end },
      'scaled a capacity provider',
    );
}

/** One that was being emptied takes tasks again. */
function reopened(instance: InstanceRecord): InstanceRecord {
  const { surplusAt, ...others } = instance;
  return surplusAt === undefined || instance.status !== 'DRAINING' ? instance : { ...others, status: 'ACTIVE' };
}

/** Managed scaling was switched off: nobody goes on with the hosts that it was emptying. */
async function takeBack(ports: CapacityPorts, view: Led['view'], group: string): Promise<void> {
  for (const { value: instance } of view.instances.values()) {
    const { id, attributes } = instance;
    const isOfGroup = attributes.some(({ name, value }) => name === groupAttribute && value === group);
    if (isOfGroup && reopened(instance) !== instance)
      await changeInstance(ports, { account: view.account, cluster: view.name }, id, reopened);
  }
}

/** Has the group end no host that has tasks, when it is made smaller by somebody else. */
async function protect(
  { groups }: CapacityPorts,
  view: Led['view'],
  { managedTerminationProtection }: CapacityProviderRecord,
  machines: readonly SizedMachine[],
  group: string,
): Promise<void> {
  if (managedTerminationProtection !== 'ENABLED') return;
  const there = machines.filter(({ state }) => state === 'InService');
  for (const on of [true, false]) {
    const ids = there.flatMap(({ id, instance, protected: is }) =>
      is !== on && holdersOf(view, instance).length > 0 === on ? [id] : [],
    );
    if (ids.length > 0) await groups.protect(view.account, group, ids, on);
  }
}

const bounds = ({ min, max, desired }: InHosts): Pick<InHosts, 'min' | 'max' | 'desired'> => ({ min, max, desired });

const withoutDrained = ({ min, max, desired }: InHosts, drained: number) => ({
  min: Math.max(0, min - drained),
  max: Math.max(0, max - drained),
  desired: Math.max(0, desired - drained),
});

/** Writes what is new of a provider: what its hosts are like, and how it stands. */
async function tell(
  ports: CapacityPorts,
  account: string,
  provider: CapacityProviderRecord,
  standing: string,
  hostShape = provider.hostShape,
): Promise<void> {
  const same = hostShape === undefined || sameRecord(hostShape, provider.hostShape);
  if (same && standing === provider.standing) return;
  await changeProvider(ports, account, provider.name, (now) => ({
    ...now,
    standing,
    ...(hostShape === undefined ? {} : { hostShape }),
  }));
}

async function definitionsOf(ports: CapacityPorts, view: Led['view'], provider: string): Promise<KnownDefinitions> {
  const arns = new Set(
    servicesOn(view, provider).flatMap(({ deployments }) => deployments.map((one) => one.taskDefinition)),
  );
  const found = new Map<string, TaskDefinitionRecord>();
  for (const arn of arns) {
    const definition = await readDefinition(ports.records, view.account, arn);
    if (definition !== undefined) found.set(arn, definition);
  }
  return found;
}

const reservationSample = (cluster: string, provider: string, value: number, at: number) => ({
  namespace: 'AWS/ECS/ManagedScaling',
  name: 'CapacityProviderReservation',
  dimensions: [
    { name: 'CapacityProviderName', value: provider },
    { name: 'ClusterName', value: cluster },
  ],
  unit: 'Percent',
  timestamp: at,
  resolution: 60 as const,
  measured: value,
});
