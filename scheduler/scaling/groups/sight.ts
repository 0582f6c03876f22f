import { type EcsPorts, findInstance } from '../../cluster/index.ts';
import type { ProvidedMachine } from '../providers/index.ts';
import type { Sight } from './decide.ts';
import type { MachineRecord } from './records.ts';

/**
 * What is to be seen of machines: at their providers, and of their agents in their clusters.
 * @param lists of each provider, what it has; undefined for one that does not answer
 */
export async function readSights(
  ports: EcsPorts,
  account: string,
  machines: readonly MachineRecord[],
  lists: ReadonlyMap<string, readonly ProvidedMachine[] | undefined>,
): Promise<(machine: MachineRecord) => Sight> {
  const there = new Map([...lists].map(([name, list]) => [name, list && new Set(list.map(({ id }) => id))]));
  const sights = new Map<string, Sight>();
  for (const machine of machines) {
    const listed = there.get(machine.provider);
    const provider = listed === undefined ? 'silent' : listed.has(machine.id) ? 'there' : 'gone';
    const instance = await findInstance(ports, { account, cluster: machine.cluster }, machine.instance);
    sights.set(machine.id, {
      provider,
      agent:
        instance === undefined
          ? 'never'
          : instance.status === 'INACTIVE'
            ? 'deregistered'
            : instance.agentConnected
              ? 'connected'
              : 'away',
      ...(instance === undefined || instance.agentConnected ? {} : { awaySince: instance.connectivityChangedAt }),
    });
  }
  return (machine) => sights.get(machine.id) ?? { provider: 'silent', agent: 'never' };
}
