import { writeFile } from 'node:fs/promises';

import { linkPrefix, type Machine, type Names } from './machine.ts';
import { done, must } from './programs.ts';

/** Where a route is asked for that no other route names (RFC 5737): the way to everybody. */
const elsewhere = '192.0.2.1';

/**
 * Makes the network of a machine: a namespace with a link of its own to this computer, routed, not bridged, so that machines share nothing but addresses. What
 * it sends elsewhere has this computer's address.
 * @throws ProviderError
 */
export async function makeNetwork({ namespace, link, comment }: Names, { address, gateway }: Machine): Promise<void> {
  await must('ip', 'netns', 'add', namespace);
  await must('ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
  await must('ip', 'addr', 'add', `${gateway}/32`, 'dev', link);
  await must('ip', 'link', 'set', link, 'up');
  // Refused where another has it, whoever gave it that.
  await must('ip', 'route', 'add', `${address}/32`, 'dev', link);
  const within = (...words: readonly string[]): Promise<string> => must('ip', '-n', namespace, ...words);
  await within('link', 'set', 'lo', 'up');
  await within('addr', 'add', `${address}/32`, 'dev', 'eth0');
  await within('link', 'set', 'eth0', 'up');
  await within('route', 'add', `${gateway}/32`, 'dev', 'eth0');
  await within('route', 'add', 'default', 'via', gateway, 'dev', 'eth0', 'src', address);
  // An agent of this computer itself is a neighbour in both directions: both send to each other's tasks by plain routes.
  const own = await ownAddress();
  if (own !== undefined && own !== gateway) await within('route', 'add', `${own}/32`, 'dev', 'eth0');
  await writeFile('/proc/sys/net/ipv4/ip_forward', '1');
  const mark = ['-m', 'comment', '--comment', comment];
  const chain = await forwardChain();
  // To a machine comes what answers it, and what other machines send.
  const answers = ['-m', 'conntrack', '--ctstate', 'RELATED,ESTABLISHED'];
  for (const words of [
    ['-i', link],
    ['-o', link, ...answers],
    ['-i', `${linkPrefix}+`, '-o', link],
  ])
    await must('iptables', '-w', '5', '-I', chain, ...words, ...mark, '-j', 'ACCEPT');
  const leaving = ['-s', `${address}/32`, '!', '-o', `${linkPrefix}+`];
  await must('iptables', '-w', '5', '-t', 'nat', '-A', 'POSTROUTING', ...leaving, ...mark, '-j', 'MASQUERADE');
}

/** Docker drops what is forwarded between networks that are not its own, but for what is let through in a chain for that. */
const forwardChain = async (): Promise<string> =>
  (await done('iptables', '-w', '5', '-S', 'DOCKER-USER')) ? 'DOCKER-USER' : 'FORWARD';

async function ownAddress(): Promise<string | undefined> {
  const found = await must('ip', '-json', '-4', 'route', 'get', elsewhere).catch(() => '[]');
  return (JSON.parse(found) as { prefsrc?: string }[])[0]?.prefsrc;
}

/** Takes away whatever there is of it; a namespace goes with its last process. @throws ProviderError when something is there after that */
export async function removeNetwork({ namespace, link, comment }: Names): Promise<void> {
  await done('ip', 'link', 'del', link);
  await done('ip', 'netns', 'del', namespace);
  for (const table of ['filter', 'nat']) {
    const rules = await must('iptables', '-w', '5', '-t', table, '-S');
    for (const rule of rules.split('\n')) {
      const words = rule.replaceAll('"', '').split(' ');
      if (words[0] !== '-A' || !words.includes(comment)) continue;
      await must('iptables', '-w', '5', '-t', table, '-D', ...words.slice(1));
    }
  }
}
