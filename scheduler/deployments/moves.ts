import type { DeploymentRecord, ServiceRecord, TaskRecord } from '../state/index.ts';

import { upperBound } from './bounds.ts';
import { eventTexts } from './events.ts';
import type { Pass } from './pass.ts';
import { hasTaskSets } from './task-sets.ts';
import { blockedKey } from './types.ts';

/** The tag on a service that has its tasks moved to where its placement strategies would have them: beyond ECS. */
export const rebalanceTag = 'slipway:rebalance';

/** Milliseconds in which the task of a move must become healthy. */
const moveLimit = 10 * 60_000;

/** Milliseconds from a move to the next one, and after one that came to nothing: what changes all the time is not followed all the time. */
const [pause, rest] = [60_000, 5 * 60_000];

type Moving = NonNullable<ServiceRecord['moving']>;

/** Whether tasks of the service are moved. */
export const isMoved = ({ tags }: Pick<ServiceRecord, 'tags'>): boolean => tags[rebalanceTag] === 'true';

/**
 * Moves one task of a steady service at a time to where its placement strategies gain by it: the next one starts there, and when all are
 * healthy the other one ends. Whatever else happens to the service ends a move; what is too many is scaled in as any other.
 * @returns how many tasks there are to be beside the desired count: one while a move is under way
 */
export function moveTasks(pass: Pass): 0 | 1 {
  const primary = pass.primary();
  const { service } = pass;
  const { moving } = service;
  const applies =
    isMoved(service) &&
    service.status === 'ACTIVE' &&
    service.schedulingStrategy === 'REPLICA' &&
    !hasTaskSets(service) &&
    // Zones are evened out first, and as ECS does it.
    service.rebalancing?.move === undefined &&
    primary?.rolloutState === 'COMPLETED';
  if (!applies || primary === undefined) {
    if (moving !== undefined) keep(pass, undefined);
    return 0;
  }
  if (moving?.move !== undefined) return goOn(pass, primary, moving.move);
  if (moving?.restUntil !== undefined && moving.restUntil > pass.now) {
    pass.wake(moving.restUntil);
    return 0;
  }
  begin(pass, primary);
  return 0;
}

function begin(pass: Pass, primary: DeploymentRecord): void {
  const { service } = pass;
  const { keep: there, outgoing, stopping, occupying } = pass.census();
  const { desiredCount: desired } = service;
  const isWhole = there.length === desired && outgoing.length + stopping.length === 0;
  if (!service.steady || !isWhole || !there.every(({ healthy }) => healthy)) return;
  const mayGo = there.filter((counted) => !counted.protected).map(({ task }) => task);
  const hasRoom = upperBound(desired, service.deploymentConfiguration) > occupying;
  const gain = hasRoom ? pass.state.gainOf(mayGo) : undefined;
  const task = mayGo.find(({ id }) => id === gain?.taskId);
  if (gain === undefined || task === undefined) {
    if (service.moving !== undefined) keep(pass, undefined);
    return;
  }
  const start = { deploymentId: primary.id, count: 1, instances: [gain.to], isBeside: true } as const;
  if (pass.state.blocked.has(blockedKey(start))) {
    keep(pass, { restUntil: pass.now + rest });
    pass.wake(pass.now + rest);
    return;
  }
  pass.voice.say(eventTexts.moves(gain));
  pass.start(
    { ...start, ...(task.capacityProvider === undefined ? {} : { providers: [task.capacityProvider] }) },
    `task ${task.id} moves from ${gain.from}: ${gain.why}`,
  );
  keep(pass, { move: { ...gain, deploymentId: primary.id, desiredCount: desired, since: pass.now } });
}

function goOn(pass: Pass, primary: DeploymentRecord, move: NonNullable<Moving['move']>): 0 | 1 {
  const { keep: there, outgoing } = pass.census();
  const { desiredCount: desired } = pass.service;
  const isSame = move.deploymentId === primary.id && move.desiredCount === desired && outgoing.length === 0;
  if (!isSame || there.length !== desired + 1 || pass.now - move.since >= moveLimit) {
    keep(pass, { restUntil: pass.now + rest });
    pass.wake(pass.now + rest);
    return 0;
  }
  if (!there.every(({ healthy }) => healthy)) {
    pass.wake(move.since + moveLimit);
    return 1;
  }
  const old = there.find(({ task }) => task.id === move.taskId);
  const next = pass.now + (old === undefined || old.protected ? rest : pause);
  if (old !== undefined && !old.protected) end(pass, primary, old.task);
  keep(pass, { restUntil: next });
  pass.wake(next);
  return 0;
}

function end(pass: Pass, { id }: DeploymentRecord, task: TaskRecord): void {
  pass.stop([task], `Rebalancing initiated by (deployment ${id})`);
  pass.voice.say(eventTexts.stopped([task.id]));
}

function keep(pass: Pass, moving: Moving | undefined): void {
  const { moving: _, ...service } = pass.service;
  pass.service = moving === undefined ? service : { ...service, moving };
}
