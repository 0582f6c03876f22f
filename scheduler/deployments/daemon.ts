import { lowerBound, tasksPerPass } from './bounds.ts';
import type { Counted } from './census.ts';
import { eventTexts } from './events.ts';
import type { Pass } from './pass.ts';
import { isStalled } from './shift-state.ts';
import type { Strategy } from './strategy.ts';

const eligibleFor = ({ service, state }: Pass): ReadonlySet<string> =>
  new Set(service.status === 'ACTIVE' ? (state.eligible ?? []) : []);

/** As many tasks as there are eligible instances now: failures of this pass are counted against that, not against what was there before. */
function countInstances(pass: Pass): void {
  const { size } = eligibleFor(pass);
  if (pass.service.desiredCount !== size) pass.service = { ...pass.service, desiredCount: size };
}

/**
 * One step of a DAEMON service: one task on every eligible instance. Updates stop first (`maximumPercent` is 100), as
 * many at once as `minimumHealthyPercent` (default 0) allows. On a DRAINING instance the daemon is the last task to go.
 * Tasks on lost hosts are left alone: no other host can run them instead.
 */
export function keepDaemons(pass: Pass): void {
  const active = pass.service.status === 'ACTIVE';
  const eligible = eligibleFor(pass);
  const lingering = new Set(active ? (pass.state.lingering ?? []) : []);
  const primary = pass.primary();
  const census = pass.census();
  const mayStart = primary !== undefined && !isStalled(primary);
  const until = primary?.startNotBefore;
  pass.wake(until);
  const waits = until !== undefined && until > pass.now;

  const occupied = new Set([...census.keep, ...census.outgoing, ...census.stopping].map(({ task }) => task.instanceId));
  const vacant = [...eligible].filter((id) => !occupied.has(id));
  if (mayStart && !waits && vacant.length > 0)
    pass.start(
      { deploymentId: primary.id, count: vacant.length, instances: vacant },
      'every eligible instance runs one task of a daemon service',
    );

  let allowance = Math.max(0, census.healthy - lowerBound(eligible.size, pass.service.deploymentConfiguration));
  let held = 0;
  const misplaced: Counted[] = [];
  const replaced: Counted[] = [];
  const hosts = new Set<string>();
  for (const counted of [...census.keep, ...census.outgoing]) {
    const host = counted.task.instanceId ?? '';
    if (counted.host === 'lost' && active) continue;
    const belongs = eligible.has(host) || lingering.has(host);
    if (!belongs || hosts.has(host)) misplaced.push(counted);
    else if (counted.deployment?.id === primary?.id && !counted.unhealthy) hosts.add(host);
    else if (lingering.has(host) || !mayStart || waits) hosts.add(host);
    else if (!counted.healthy || allowance > 0) {
      if (counted.healthy) allowance--;
      replaced.push(counted);
    } else held++;
  }
  const quiet = replaced.length + misplaced.length + census.stopping.length + vacant.length === 0;
  const settled = [...census.keep, ...census.outgoing].every(({ healthy }) => healthy);
  // One task on each instance and a minimum that forbids to stop any: on few instances a half is already all of them.
  if (held > 0 && quiet && settled) pass.voice.sayStanding('deadlock', eventTexts.deadlock);
  else pass.voice.resolve('deadlock');
  misplaced.length = Math.min(misplaced.length, tasksPerPass);
  replaced.length = Math.min(replaced.length, tasksPerPass - misplaced.length);
  const id = primary?.id ?? '';
  pass.stop(
    misplaced.map(({ task }) => task),
    active
      ? 'The instance no longer meets the requirements of the daemon service'
      : `Scaling activity initiated by (deployment ${id})`,
  );
  pass.stop(
    replaced.map(({ task }) => task),
    `Scaling activity initiated by (deployment ${id})`,
  );
  const ids = [...misplaced, ...replaced].map(({ task }) => task.id);
  if (ids.length > 0) pass.voice.say(eventTexts.stopped(ids));
}

export const daemon: Strategy = { count: countInstances, step: keepDaemons, mayComplete: () => true };
