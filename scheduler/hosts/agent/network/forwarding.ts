import { hasChain, KeptRules, listRules, removeRule, type Rule } from '../iptables.ts';
import { listLinks } from './links.ts';

/** Marks these rules: every agent of a host has its own, while one alone serves the credentials endpoint. */
const comment: readonly string[] = ['-m', 'comment', '--comment', 'slipway-network'];

/**
 * Lets the packets of an agent's links through the packet filter of the Docker engine, which drops what is forwarded between
 * networks that are not its own. What of it may pass is decided before, in a table of our own.
 */
async function rulesOf(prefix: string): Promise<Rule[]> {
  // Docker's own place for rules that come before its own; engines that keep their hands off iptables have none.
  const chain = (await hasChain('filter', 'DOCKER-USER')) ? 'DOCKER-USER' : 'FORWARD';
  const rule = (side: '-i' | '-o'): Rule => ({
    table: 'filter',
    chain,
    words: [side, `${prefix}+`, ...comment, '-j', 'ACCEPT'],
  });
  return [rule('-i'), rule('-o')];
}

/** The rules of one agent, as it looks after them. */
export class Forwarding {
  readonly #prefix: string;
  readonly #kept = new KeptRules(['filter']);

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Makes sure that the rules are there, each once. @throws FirewallError when iptables is missing or refuses */
  ensure(): Promise<void> {
    return this.#kept.ensure(() => rulesOf(this.#prefix));
  }
}

/** Takes the rules away. @throws FirewallError */
export async function removeForwarding(prefix: string): Promise<void> {
  for (const rule of await rulesOf(prefix)) await removeRule(rule);
}

/**
 * Takes away rules of agents that have no link here, such as one leaves that is killed: nothing goes by them. One that is there and has no task puts its own
 * back when it has made its next link; a link that was made meanwhile is seen after its rules were taken, and gets them back.
 * @throws FirewallError, NetworkError
 */
export async function sweepForwarding(own: string): Promise<void> {
  const listed = await Promise.all(['DOCKER-USER', 'FORWARD'].map((chain) => listRules('filter', chain)));
  const prefixes = new Set(listed.flat().flatMap((line) => ofAgent.exec(line)?.groups?.['prefix'] ?? []));
  for (const prefix of prefixes) {
    if (prefix === own || (await listLinks(prefix)).length > 0) continue;
    await removeForwarding(prefix);
    if ((await listLinks(prefix)).length > 0) await new Forwarding(prefix).ensure();
  }
}

/** A rule of {@link rulesOf} as iptables lists it. */
const ofAgent = /^-A \S+ -[io] (?<prefix>ecs[0-9a-f]{4})\+ .*--comment "?slipway-network"? /;
