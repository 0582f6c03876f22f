import { type EcsPorts, findInstance } from '../../cluster/index.ts';
import type { Sight } from './decide.ts';
import type { MachineRecord } from './records.ts';

/** What a provider has said. One that did not answer has said nothing of any machine. */
export interface ProviderList {
  /** Ids of what it has. */
  readonly machines: ReadonlySet<string>;
  /** Ids of what had been started before it was asked, so that it would have named them. */
  readonly started: ReadonlySet<string>;
}

/**
 * What is to be seen of machines: at their providers, and of their agents in their clusters.
 * @param lists what each provider has said
 */
export async function readSights(
  ports: EcsPorts,
  account: string,
  machines: readonly MachineRecord[],
  lists: ReadonlyMap<string, ProviderList>,
): Promise<(machine: MachineRecord) => Sight> {
  const sights = new Map<string, Sight>();
  for (const machine of machines) {
    const said = lists.get(machine.provider);
    const provider = said?.machines.has(machine.id) ? 'there' : said?.started.has(machine.id) ? 'gone' : 'silent';
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
