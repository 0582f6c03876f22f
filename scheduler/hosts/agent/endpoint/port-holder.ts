import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** A process that listens on a port of this machine. */
export interface PortHolder {
  readonly pid: number;
  /** Its command line, cut to what fits into a sentence. */
  readonly command: string;
}

/** `proc_net_tcp(5)`: state LISTEN. */
const listening = '0A';
const commandLength = 120;

/**
 * Who listens on a TCP port in this network namespace, from `/proc`. Undefined when nobody does, or when its process may not be
 * seen: it is another user's, or in another process namespace.
 */
export async function portHolder(port: number): Promise<PortHolder | undefined> {
  const sockets = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const lines = (await readFile(table, 'utf8').catch(() => '')).split('\n').slice(1);
    for (const line of lines) {
      const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
      if (state === listening && Number.parseInt(local.split(':')[1] ?? '', 16) === port)
        sockets.add(`socket:[${inode}]`);
    }
  }
  if (sockets.size === 0) return undefined;
  for (const pid of (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))) {
    const files = join('/proc', pid, 'fd');
    for (const file of await readdir(files).catch(() => [])) {
      const target = await readlink(join(files, file)).catch(() => '');
      if (!sockets.has(target)) continue;
      const command = (await readFile(join('/proc', pid, 'cmdline'), 'utf8').catch(() => '')).replaceAll('\0', ' ');
      return { pid: Number(pid), command: command.trim().slice(0, commandLength) };
    }
  }
  return undefined;
}

/** Who has a port, to finish a sentence with. */
export async function holderText(port: number): Promise<string> {
  const holder = await portHolder(port);
  return holder === undefined ? 'a process that cannot be seen from here' : `process ${holder.pid}, ${holder.command}`;
}
