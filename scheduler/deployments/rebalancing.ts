import type { DeploymentRecord, ServiceRecord } from '../state/index.ts';

import { upperBound } from './bounds.ts';
import type { Census, Counted } from './census.ts';
import { eventTexts } from './events.ts';
import type { Pass } from './pass.ts';
import { countProviders, nextProviders } from './providers.ts';
import { hasTaskSets, startedAs } from './task-sets.ts';
import { blockedKey } from './types.ts';

/** Milliseconds in which the task of a move must become healthy. */
const moveLimit = 10 * 60_000;

/** Milliseconds until another move is tried after one that came to nothing. */
const rest = 5 * 60_000;

type Rebalancing = NonNullable<ServiceRecord['rebalancing']>;

/**
 * Evens out the zones of a steady service, one task at a time (ECS: `availabilityZoneRebalancing`): one is started in the zone with the
 * fewest, and when all are healthy, one of the zone with the most ends. Whatever else happens to the service ends a move: the surplus is
 * scaled in as any other. Each move brings zones nearer to each other, so that there is an end of them.
 * @returns how many tasks there are to be beside the desired count: one while a move is under way
 */
export function rebalance(pass: Pass): 0 | 1 {
  const primary = pass.primary();
  const { service } = pass;
  const { rebalancing } = service;
  const applies =
    service.availabilityZoneRebalancing === 'ENABLED' &&
    service.status === 'ACTIVE' &&
    service.schedulingStrategy === 'REPLICA' &&
    !hasTaskSets(service) &&
    primary?.rolloutState === 'COMPLETED';
  if (!applies || primary === undefined) {
    if (rebalancing !== undefined) giveUp(pass, undefined);
    return 0;
  }
  if (rebalancing?.move !== undefined) return goOn(pass, primary, rebalancing, rebalancing.move);
  if (rebalancing?.restUntil !== undefined && rebalancing.restUntil > pass.now) {
    pass.wake(rebalancing.restUntil);
    return 0;
  }
  begin(pass, primary);
  return 0;
}

/** How many tasks each zone has that tasks of the service can be in. */
function countZones(
  pass: Pass,
  keep: readonly Counted[],
  zones: readonly string[],
): ReadonlyMap<string, readonly Counted[]> {
  const byZone = Map.groupBy(keep, ({ task }) => pass.state.zoneOf(task));
  return new Map(zones.toSorted().map((zone) => [zone, byZone.get(zone) ?? []] as const));
}

/** Whether no zone has two tasks more than another. */
function isEven(zones: ReadonlyMap<string, readonly Counted[]>): boolean {
  const counts = Array.from(zones.values(), ({ length }) => length);
  return counts.length === 0 || Math.max(...counts) - Math.min(...counts) < 2;
}

/** The zones with the most and the fewest tasks; of equal ones the first by name. */
function extremes(zones: ReadonlyMap<string, readonly Counted[]>): { readonly most: string; readonly fewest: string } {
  const ordered = [...zones].sort(([, one], [, other]) => other.length - one.length);
  const fewest = ordered.find(([, tasks]) => tasks.length === ordered.at(-1)?.[1].length);
  return { most: ordered[0]?.[0] ?? '', fewest: fewest?.[0] ?? '' };
}

const inWords = (zones: ReadonlyMap<string, readonly Counted[]>): string =>
  [...zones].map(([zone, { length }]) => `${length} tasks in ${zone}`).join(', ');

/** Whether the service has what it wants and nothing comes or goes. */
const isWhole = ({ keep, outgoing, stopping }: Census, desired: number): boolean =>
  keep.length === desired && outgoing.length + stopping.length === 0 && keep.every(({ healthy }) => healthy);

function begin(pass: Pass, primary: DeploymentRecord): void {
  const { service } = pass;
  const census = pass.census();
  const { desiredCount: desired, rebalancing } = service;
  if (!service.steady || !isWhole(census, desired) || desired < 2) return;
  // Zones that are even are so without those that are of no use to the service: nobody need ask which those are.
  if (rebalancing === undefined && isEven(countZones(pass, census.keep, pass.state.zonesOfHosts()))) return;
  const zones = countZones(pass, census.keep, pass.state.zones());
  const { most, fewest: to } = extremes(zones);
  const crowded = zones.get(most) ?? [];
  if (isEven(zones)) {
    if (rebalancing !== undefined) {
      pass.voice.say(eventTexts.balanced(inWords(zones)));
      keep(pass, undefined);
    }
    return;
  }
  const mayGo = crowded.some((counted) => !counted.protected);
  if (!mayGo || upperBound(desired, service.deploymentConfiguration) <= census.occupying) return;
  const blocked = pass.state.blocked.get(blockedKey({ deploymentId: primary.id, zone: to }));
  if (blocked !== undefined) {
    pass.voice.sayStanding('zones', eventTexts.unplaceable(blocked));
    keep(pass, { restUntil: pass.now + rest });
    pass.wake(pass.now + rest);
    return;
  }
  pass.voice.resolve('zones');
  if (rebalancing === undefined) pass.voice.say(eventTexts.unbalanced(inWords(zones)));
  const { capacityProviderStrategy: strategy } = startedAs(service, primary);
  const have = countProviders(census.keep.map(({ task }) => task.capacityProvider));
  pass.start(
    {
      deploymentId: primary.id,
      count: 1,
      zone: to,
      ...(strategy === undefined ? {} : { providers: nextProviders(strategy, have, 1) }),
    },
    `zones are not balanced: ${inWords(zones)}`,
  );
  keep(pass, { move: { deploymentId: primary.id, desiredCount: desired, to, since: pass.now } });
}

function goOn(
  pass: Pass,
  primary: DeploymentRecord,
  rebalancing: Rebalancing,
  { deploymentId, desiredCount, since }: NonNullable<Rebalancing['move']>,
): 0 | 1 {
  const { keep: there, outgoing } = pass.census();
  const { desiredCount: desired } = pass.service;
  if (deploymentId !== primary.id || desiredCount !== desired || outgoing.length > 0) {
    giveUp(pass, undefined);
    return 0;
  }
  if (there.length !== desired + 1 || pass.now - since >= moveLimit) {
    giveUp(pass, pass.now + rest);
    return 0;
  }
  if (!there.every(({ healthy }) => healthy)) {
    pass.wake(since + moveLimit);
    return 1;
  }
  const zones = countZones(pass, there, pass.state.zones());
  const { most } = extremes(zones);
  const candidates = (zones.get(most) ?? []).filter((counted) => !counted.protected).map(({ task }) => task.id);
  const [victim] = pass.state.scaleInOrder(candidates, 1, []);
  const task = pass.tasks().find(({ id }) => id === victim);
  if (task === undefined) {
    giveUp(pass, pass.now + rest);
    return 0;
  }
  pass.stop([task], `Availability-zone rebalancing initiated by (deployment ${primary.id})`);
  pass.voice.say(eventTexts.stopped([task.id]));
  const { move: _, restUntil: __, ...others } = rebalancing;
  keep(pass, others);
  return 0;
}

/** Ends a move, or the whole of it; what is there too many is scaled in. @param restUntil when to try again; undefined: when it is steady */
function giveUp(pass: Pass, restUntil: number | undefined): void {
  const { rebalancing } = pass.service;
  if (rebalancing?.move !== undefined && restUntil === undefined) pass.voice.say(eventTexts.rebalancingStopped);
  keep(pass, restUntil === undefined ? undefined : { restUntil });
  pass.wake(restUntil);
}

function keep(pass: Pass, rebalancing: Rebalancing | undefined): void {
  const { rebalancing: _, ...service } = pass.service;
  pass.service = rebalancing === undefined ? service : { ...service, rebalancing };
}
