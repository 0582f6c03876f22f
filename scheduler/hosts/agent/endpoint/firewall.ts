import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Where SDKs in containers look for credentials; a fixed address in all of them. */
export const endpointAddress = '169.254.170.2';

/** The address of a cloud's instance metadata service, which would hand out the host's own rights. */
const instanceMetadata = '169.254.169.254';

/** Marks the rules of this agent among others'. */
const comment = ['-m', 'comment', '--comment', 'slipway-agent'];

/** One rule: where it stands, and its words after the chain's name. */
interface Rule {
  readonly table: 'nat' | 'filter';
  readonly chain: string;
  readonly words: readonly string[];
}

/** What the rules are about. */
export interface Redirection {
  /** The interface of Docker's default bridge network, e.g. `docker0`. */
  readonly bridge: string;
  /** The listener's address on that bridge. */
  readonly address: string;
  readonly port: number;
  /** Whether tasks on the host's own network may ask too. */
  readonly hostNetwork: boolean;
  /** Whether containers may reach the instance metadata service. */
  readonly instanceMetadata: boolean;
}

function rulesOf({ bridge, address, port, ...allowed }: Redirection): Rule[] {
  const asked = ['-d', `${endpointAddress}/32`, '-p', 'tcp', '--dport', '80'];
  const listener = ['-d', `${address}/32`, '-p', 'tcp', '--dport', String(port)];
  const toListener = [...comment, '-j', 'DNAT', '--to-destination', `${address}:${port}`];
  return [
    { table: 'nat', chain: 'PREROUTING', words: ['-i', bridge, ...asked, ...toListener] },
    ...(allowed.hostNetwork ? [{ table: 'nat', chain: 'OUTPUT', words: [...asked, ...toListener] } as const] : []),
    // A host whose INPUT chain drops by default lets containers through; no other machine gets to the listener.
    { table: 'filter', chain: 'INPUT', words: ['-i', bridge, ...listener, ...comment, '-j', 'ACCEPT'] },
    {
      table: 'filter',
      chain: 'INPUT',
      words: ['!', '-i', bridge, '-m', 'addrtype', '!', '--src-type', 'LOCAL', ...listener, ...comment, '-j', 'DROP'],
    },
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

/** The packet filter does not do what it was asked. */
export class FirewallError extends Error {
  override readonly name = 'FirewallError';
}

/** Makes sure that the rules are there, each once. @throws FirewallError when iptables is missing or refuses */
export async function ensureRules(redirection: Redirection): Promise<void> {
  for (const { table, chain, words } of rulesOf(redirection)) {
    if (!(await iptables(table, '-C', chain, words))) await mustIptables(table, '-I', chain, words);
  }
}

/** Takes the rules away, however often each is there. @throws FirewallError */
export async function removeRules(redirection: Redirection): Promise<void> {
  for (const { table, chain, words } of rulesOf(redirection)) {
    while (await iptables(table, '-C', chain, words)) await mustIptables(table, '-D', chain, words);
  }
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

/** @returns whether iptables did it; false when it answers that there is no such rule */
async function iptables(table: string, command: string, chain: string, words: readonly string[]): Promise<boolean> {
  try {
    await mustIptables(table, command, chain, words);
    return true;
  } catch (error) {
    if ((error as FirewallError & { cause?: { code?: unknown } }).cause?.code === 1) return false;
    throw error;
  }
}

async function mustIptables(table: string, command: string, chain: string, words: readonly string[]): Promise<void> {
  try {
    // -w: wait for others who change rules at this moment, in seconds.
    await execute('iptables', ['-w', '5', '-t', table, command, chain, ...words], { timeout: 10_000 });
  } catch (cause) {
    const { code, stderr = '' } = cause as { code?: unknown; stderr?: string };
    const said = stderr.trim().split('\n').at(-1);
    throw new FirewallError(
      code === 'ENOENT' ? 'there is no iptables on this machine' : `iptables ${command} ${chain}: ${said}`,
      { cause },
    );
  }
}
