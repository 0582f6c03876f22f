import { clusterKeys, type ServiceRecord, toJson } from '../../state/index.ts';

import type { Led } from '../../control/index.ts';
import type { ServiceRef } from '../../services/index.ts';
import { runScheduled } from '../rules/index.ts';
import { nextOf } from './actions.ts';
import { tell } from './activities.ts';
import { commit, type ScalerPorts, setDesired } from './commit.ts';
import { scalingKeys } from './keys.ts';
import type { ActionRecord, TargetRecord } from './records.ts';

/** What an operator reads of it. */
interface Said {
  readonly failed?: true;
  readonly reason: string;
  readonly desired?: number;
}

/** Runs an action that is due: the bounds, the service's count and what is told of it are one commit of the cluster's leader. */
export async function runAction(ports: ScalerPorts, led: Led, ref: ServiceRef, due: ActionRecord): Promise<void> {
  const { clock, random, log } = ports;
  const said = await commit<Said | undefined>(ports, led, async (tx) => {
    const now = clock.now();
    const key = scalingKeys.action(ref.service, due.name);
    const [target, action, service] = [
      await tx.get<TargetRecord>(scalingKeys.target(ref.service)),
      await tx.get<ActionRecord>(key),
      await tx.get<ServiceRecord>(clusterKeys.service(ref.service)),
    ];
    if (target === undefined || action?.next !== due.next || action?.id !== due.id || service?.status !== 'ACTIVE')
      return undefined;
    const { next: _, ...rest } = action;
    const next = nextOf(action, now);
    tx.put(key, toJson(next === undefined ? rest : { ...rest, next }));
    // What falls into a suspension is not made up for afterwards.
    if (target.suspended?.scheduled === true) return undefined;
    const ran = runScheduled(target, service.desiredCount, action);
    if (ran.kind === 'refused') {
      const { cause } = ran;
      const message = `Failed to run the scheduled action ${action.name}: ${cause}.`;
      await tell(tx, random, {
        service: ref.service,
        status: 'Failed',
        description: 'Setting bounds.',
        cause,
        message,
        at: now,
      });
      return { failed: true, reason: cause };
    }
    tx.put(scalingKeys.target(ref.service), toJson({ ...target, ...ran.range }));
    if (ran.desired === service.desiredCount) return { reason: 'the count stays as it is' };
    await setDesired(tx, ref.service, ran.desired, now);
    await tell(tx, random, {
      service: ref.service,
      status: 'Successful',
      description: `Setting desired count to ${ran.desired}.`,
      cause: ran.cause,
      message: `Successfully set desired count to ${ran.desired}. Change successfully fulfilled by ecs.`,
      at: now,
    });
    return { reason: ran.cause, desired: ran.desired };
  });
  if (said === undefined) return;
  const { failed, ...fields } = said;
  log[failed === true ? 'warn' : 'info'](
    { cluster: ref.cluster, service: ref.service, action: due.name, ...fields },
    'ran a scheduled scaling action',
  );
}
