import { changeInstance, type EcsPorts, findInstance, tasksByInstance } from '../../cluster/index.ts';
import type { MachineRecord } from './records.ts';

/** Milliseconds for which tasks of a machine that is to end are waited for. */
export const drainAtMost = 900_000;

/**
 * Drains the container instance of a machine that is to end: services replace its tasks elsewhere before they stop.
 * @returns whether it may end: it has no tasks any more, nobody can reach it, or it was waited for long enough
 */
export async function drain(ports: EcsPorts, account: string, machine: MachineRecord): Promise<boolean> {
  if (ports.clock.now() > machine.stateAt + drainAtMost) return true;
  const ref = { account, cluster: machine.cluster };
  const instance = await findInstance(ports, ref, machine.instance);
  if (instance === undefined || instance.status === 'INACTIVE' || !instance.agentConnected) return true;
  await changeInstance(ports, ref, machine.instance, (before) =>
    before.status === 'ACTIVE' ? { ...before, status: 'DRAINING' } : before,
  );
  return ((await tasksByInstance(ports, ref)).get(machine.instance) ?? []).length === 0;
}
