import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Marks the rules of this agent among others'. */
export const comment: readonly string[] = ['-m', 'comment', '--comment', 'slipway-agent'];

/** One rule: where it stands, and its words after the chain's name. */
export interface Rule {
  readonly table: 'nat' | 'filter';
  readonly chain: string;
  readonly words: readonly string[];
}

/** The packet filter does not do what it was asked. */
export class FirewallError extends Error {
  override readonly name = 'FirewallError';
}

/** Makes sure that a rule is there, once; before all others of its chain when it is new. @throws FirewallError when iptables is missing or refuses */
async function ensureRule({ table, chain, words }: Rule): Promise<void> {
  if (!(await iptables(table, '-C', chain, words))) await mustIptables(table, '-I', chain, words);
}

/** What the lines of all agents' rules have. */
const ours = '--comment slipway-';

/**
 * Rules that are looked after for as long as an agent runs. Asking for each is a program that runs for each; as long as the tables show of
 * agents' rules what they showed around the last time when every one was there, each still is.
 */
export class KeptRules {
  readonly #tables: readonly Rule['table'][];
  #shown: string | undefined;

  /** @param tables that the rules stand in */
  constructor(tables: readonly Rule['table'][]) {
    this.#tables = tables;
  }

  /** Makes sure that the rules are there, each once. @param rules the same each time @throws FirewallError */
  async ensure(rules: () => Promise<readonly Rule[]>): Promise<void> {
    const before = await this.#show();
    if (before === this.#shown) return;
    for (const rule of await rules()) await ensureRule(rule);
    const after = await this.#show();
    // One that somebody took away meanwhile is not among what is shown from now on.
    this.#shown = before === after ? after : undefined;
  }

  async #show(): Promise<string> {
    const lines: string[] = [];
    for (const table of this.#tables) lines.push(...(await mustIptables(table, '-S')).split('\n'));
    return lines.filter((line) => line.replaceAll('"', '').includes(ours)).join('\n');
  }
}

/** Times that a rule which is there is told to go and is said not to be there. */
const mostRefusals = 3;

/** Takes a rule away, however often it is there. @throws FirewallError */
export async function removeRule({ table, chain, words }: Rule): Promise<void> {
  let refusals = 0;
  while (await iptables(table, '-C', chain, words)) {
    // Another agent of this host that starts or stops may have taken it away by now: that is no failure.
    if (await iptables(table, '-D', chain, words)) continue;
    refusals += 1;
    if (refusals === mostRefusals) throw new FirewallError(`iptables -D ${chain}: the rule is there all the same`);
  }
}

/** Whether there is a chain of this name. @throws FirewallError when iptables is missing */
export async function hasChain(table: Rule['table'], chain: string): Promise<boolean> {
  return iptables(table, '-S', chain, []);
}

/** The rules of a chain, as iptables writes them; none where there is no such chain. @throws FirewallError when iptables is missing */
export async function listRules(table: Rule['table'], chain: string): Promise<readonly string[]> {
  if (!(await hasChain(table, chain))) return [];
  return (await mustIptables(table, '-S', chain, [])).split('\n');
}

const execute = promisify(execFile);

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

async function mustIptables(
  table: string,
  command: string,
  chain = '',
  words: readonly string[] = [],
): Promise<string> {
  try {
    // -w: wait for others who change rules at this moment, in seconds.
    const { stdout } = await execute(
      'iptables',
      ['-w', '5', '-t', table, command, ...(chain === '' ? [] : [chain]), ...words],
      {
        timeout: 10_000,
        maxBuffer: 16 * 1024 * 1024,
      },
    );
    return stdout;
  } catch (cause) {
    const { code, stderr = '' } = cause as { code?: unknown; stderr?: string };
    const said = stderr.trim().split('\n').at(-1);
    throw new FirewallError(
      code === 'ENOENT' ? 'there is no iptables on this machine' : `iptables ${command} ${chain}: ${said}`,
      { cause },
    );
  }
}
