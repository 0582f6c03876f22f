import type { DeploymentRecord } from '../state/index.ts';

import { startDelay } from './backoff.ts';
import { censusOf } from './census.ts';
import { eventTexts } from './events.ts';
import type { Pass } from './pass.ts';
import { keepWhole } from './rolling.ts';
import type { Strategy } from './strategy.ts';
import { computedCount } from './task-sets.ts';

/**
 * Task sets: each is kept at its share of the desired count as if it were alone in the service, within the same bounds as a service that
 * rolls. How large each is, where traffic goes and when one ends is their controller's to say.
 */
export const external: Strategy = {
  step: (pass) => {
    const sets = pass.deployments();
    const desired = pass.service.desiredCount;
    // Other sets do not go because this one comes: only what is replaced within its own set is looked past.
    const leaving = sets.flatMap((set) => censusOf(pass.census(), set).outgoing.map(({ task }) => task.id));
    keepWhole(
      pass,
      sets.map((deployment) => ({ deployment, stalled: false, desired: wantedOf(pass, deployment) })),
    );
    pass.leaving = leaving;
    if (sets.some(({ startFailures = 0 }) => startDelay(startFailures, desired) > 0))
      pass.voice.sayStanding('impaired', eventTexts.impaired);
    else if (sets.every(({ startFailures }) => startFailures === undefined)) pass.voice.resolve('impaired');
  },
  mayComplete: () => false,
};

const wantedOf = ({ service }: Pass, { taskSet }: DeploymentRecord): number =>
  service.status === 'ACTIVE' && taskSet !== undefined ? computedCount(service.desiredCount, taskSet) : 0;

/** Says which task sets are as they should be, and lets go of those that are deleted and have no task any more. */
export function settleSets(pass: Pass): void {
  const gone = new Set<string>();
  for (const deployment of pass.deployments()) {
    const { id, taskSet } = deployment;
    if (taskSet === undefined) continue;
    const { keep, outgoing, stopping } = censusOf(pass.census(), deployment);
    // Tasks on lost hosts have their order to stop; nobody waits for hosts that may never come back.
    const left = keep.length + outgoing.length + stopping.filter(({ host }) => host !== 'lost').length;
    if (taskSet.ends === true && left === 0) gone.add(id);
    const isWhole = keep.length === wantedOf(pass, deployment) && outgoing.length === 0;
    const steady = taskSet.ends !== true && isWhole && keep.every(({ healthy }) => healthy);
    if (steady === taskSet.steady) continue;
    pass.change(id, { taskSet: { ...taskSet, steady, steadyAt: pass.now } });
    if (steady) pass.voice.sayOf(id, eventTexts.steady);
  }
  const left = pass.deployments().filter(({ id }) => !gone.has(id));
  if (gone.size > 0) pass.keepDeployments(left.map(({ id }) => id));
  const steady = left.length > 0 && left.every(({ taskSet }) => taskSet?.steady === true);
  if (steady !== pass.service.steady) pass.service = { ...pass.service, steady };
}
