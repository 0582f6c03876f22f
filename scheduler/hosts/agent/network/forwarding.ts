import { ensureRule, hasChain, removeRule, type Rule } from '../iptables.ts';

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

/** Makes sure that the rules are there, each once. @throws FirewallError when iptables is missing or refuses */
export async function ensureForwarding(prefix: string): Promise<void> {
  for (const rule of await rulesOf(prefix)) await ensureRule(rule);
}

/** Takes the rules away. @throws FirewallError */
export async function removeForwarding(prefix: string): Promise<void> {
  for (const rule of await rulesOf(prefix)) await removeRule(rule);
}
