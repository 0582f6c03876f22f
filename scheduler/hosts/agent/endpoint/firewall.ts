import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { comment, KeptRules, removeRule, type Rule } from '../iptables.ts';

/** Where SDKs in containers look for credentials; a fixed address in all of them. */
export const endpointAddress = '169.254.170.2';

/** The address of a cloud's instance metadata service, which would hand out the host's own rights. */
const instanceMetadata = '169.254.169.254';

/** What the rules are about. */
export interface Redirection {
  /** The interface of Docker's default bridge network, e.g. `docker0`. */
  readonly bridge: string;
  /** Begins the names of the links of tasks that have addresses of their own. */
  readonly links: string;
  /** The listener's address on that bridge. */
  readonly address: string;
  readonly port: number;
  /** Whether tasks on the host's own network may ask too. */
  readonly hostNetwork: boolean;
  /** Whether containers may reach the instance metadata service. */
  readonly instanceMetadata: boolean;
}

function rulesOf({ bridge, links, address, port, ...allowed }: Redirection): Rule[] {
  const asked = ['-d', `${endpointAddress}/32`, '-p', 'tcp', '--dport', '80'];
  const listener = ['-d', `${address}/32`, '-p', 'tcp', '--dport', String(port)];
  const toListener = [...comment, '-j', 'DNAT', '--to-destination', `${address}:${port}`];
  return [
    { table: 'nat', chain: 'PREROUTING', words: ['-i', bridge, ...asked, ...toListener] },
    { table: 'nat', chain: 'PREROUTING', words: ['-i', `${links}+`, ...asked, ...toListener] },
    ...(allowed.hostNetwork ? [{ table: 'nat', chain: 'OUTPUT', words: [...asked, ...toListener] } as const] : []),
    // A host whose INPUT chain drops by default lets containers through; no other machine gets to the listener.
    { table: 'filter', chain: 'INPUT', words: ['-i', bridge, ...listener, ...comment, '-j', 'ACCEPT'] },
    {
      table: 'filter',
      chain: 'INPUT',
      words: ['!', '-i', bridge, '-m', 'addrtype', '!', '--src-type', 'LOCAL', ...listener, ...comment, '-j', 'DROP'],
    },
    // Put in last, so that it stands before the one that drops.
    { table: 'filter', chain: 'INPUT', words: ['-i', `${links}+`, ...listener, ...comment, '-j', 'ACCEPT'] },
    // DOCKER-USER is Docker's own place for rules that come before its own.
    ...(allowed.instanceMetadata
      ? []
      : [
          {
            table: 'filter',
            chain: 'DOCKER-USER',
            words: ['-i', bridge, '-d', `${instanceMetadata}/32`, ...comment, '-j', 'DROP'],
          } as const,
        ]),
  ];
}

/** The rules of a redirection, as an agent looks after them. */
export class RedirectionRules {
  readonly #kept = new KeptRules(['nat', 'filter']);

  /** Makes sure that they are there, each once. @param redirection the same each time @throws FirewallError when iptables is missing or refuses */
  ensure(redirection: Redirection): Promise<void> {
    return this.#kept.ensure(async () => rulesOf(redirection));
  }
}

/** Takes the rules away, however often each is there. @throws FirewallError */
export async function removeRules(redirection: Redirection): Promise<void> {
  for (const rule of rulesOf(redirection)) await removeRule(rule);
}

const execute = promisify(execFile);

/**
 * The IPv4 addresses of a network interface, also of one that nothing is connected to: Node's `networkInterfaces` leaves out a
 * bridge without a running container. None when there is no such interface, or no `ip`.
 */
export async function addressesOf(name: string): Promise<readonly string[]> {
  try {
    const { stdout } = await execute('ip', ['-4', '-o', 'address', 'show', 'dev', name], { timeout: 10_000 });
    return Array.from(stdout.matchAll(/ inet (\d+\.\d+\.\d+\.\d+)\//g), ([, address = '']) => address);
  } catch {
    return [];
  }
}
