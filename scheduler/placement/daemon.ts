import { type Cluster, type Group, placeable } from './cluster.ts';
import { explainOne } from './reasons.ts';
import { cause, type Request } from './request.ts';
import type { DaemonPlan, Unplaceable } from './types.ts';

/**
 * One task on every ACTIVE instance that meets the constraints (developer guide, "daemon"): strategies play no part, and a
 * task whose instance no longer meets the constraints is to be stopped.
 */
export function planDaemon(cluster: Cluster, request: Request, group: Group): DaemonPlan {
  const start: string[] = [];
  const blocked: { instanceId: string; unplaceable: Unplaceable }[] = [];
  const violating: string[] = [];
  request.filter?.sync();
  for (let slot = 0; slot < cluster.slots; slot++) {
    if (cluster.status[slot] !== placeable) continue;
    const causes = request.causes(slot);
    if ((causes & cause.FILTER) !== 0) {
      for (const task of cluster.tasksOn(slot)) if (task.group === group && task.counts) violating.push(task.id);
      continue;
    }
    if (group.perSlot.get(slot) > 0) continue;
    const instanceId = cluster.specs[slot]!.id;
    if (causes === 0) start.push(instanceId);
    else blocked.push({ instanceId, unplaceable: explainOne(cluster, request, slot)! });
  }
  return { start, blocked, violating };
}
