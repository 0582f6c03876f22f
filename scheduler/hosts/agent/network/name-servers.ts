import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';

/** Where resolvers of this host may be written down: systemd's file names those behind its own stub. */
const files = ['/run/systemd/resolve/resolv.conf', '/etc/resolv.conf'];

/** The name servers of a resolv.conf(5) that another network namespace of the host reaches too. */
export function nameServersIn(text: string): string[] {
  return text
    .split('\n')
    .flatMap((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? [])
    .filter((address) => isIPv4(address) && !address.startsWith('127.'));
}

/** The host's name servers, for tasks with addresses of their own; none where the host only asks itself. */
export async function hostNameServers(): Promise<readonly string[]> {
  for (const file of files) {
    const found = nameServersIn(await readFile(file, 'utf8').catch(() => ''));
    if (found.length > 0) return found;
  }
  return [];
}
