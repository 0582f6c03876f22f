import { type Attachment, gateway, linkOf } from './attachment.ts';
import { NetworkError, run } from './run.ts';

/** Written on a link once nothing of its set-up is missing. */
const complete = 'slipway:complete';

/** A link of a task on this host. */
export interface Link {
  readonly name: string;
  /** Whether its set-up was finished; one that is not is made anew. */
  readonly complete: boolean;
}

/** All links of an agent's tasks. @throws NetworkError */
export async function listLinks(prefix: string): Promise<readonly Link[]> {
  const found = JSON.parse((await run('ip', ['-json', 'link', 'show', 'type', 'veth'])) || '[]') as {
    ifname?: string;
    ifalias?: string;
  }[];
  return found
    .filter(({ ifname }) => ifname?.startsWith(prefix) === true)
    .map(({ ifname = '', ifalias }) => ({ name: ifname, complete: ifalias === complete }));
}

/**
 * Gives the network namespace of a process its task's interface: `eth0` with a /32 and a default route over a routed link.
 * There is no bridge: all traffic of the task, to tasks of the same host too, is routed and so passes the packet filter.
 * Whatever an earlier attempt left is replaced; a link that is complete stays as it is.
 *
 * @param pid of a process in the namespace, which must stay for as long as the link shall
 * @param mtu bytes of a packet, the smallest on the way to any other task
 * @throws NetworkError
 */
export async function makeLink(
  prefix: string,
  { id, address, mac }: Attachment,
  pid: number,
  mtu: number,
): Promise<void> {
  const name = linkOf(prefix, id);
  const found = (await listLinks(prefix)).find((link) => link.name === name);
  if (found?.complete === true) return;
  if (found !== undefined) await removeLink(name);
  const text = String(mtu);
  const peer = ['peer', 'name', 'eth0', 'address', mac, 'mtu', text, 'netns', String(pid)];
  await run('ip', ['link', 'add', name, 'mtu', text, 'type', 'veth', ...peer]);
  await batch(
    [
      'link set lo up',
      `addr add ${address}/32 dev eth0`,
      'link set eth0 up',
      `route add ${gateway} dev eth0 scope link`,
      `route add default via ${gateway} dev eth0`,
    ],
    pid,
  );
  await batch([
    `addr add ${gateway}/32 dev ${name} scope link`,
    `link set ${name} up`,
    `route replace ${address}/32 dev ${name}`,
    `link set ${name} alias ${complete}`,
  ]);
}

/** Removes a link by its name, with its routes; nothing where there is none. @throws NetworkError */
export async function removeLink(name: string): Promise<void> {
  try {
    await run('ip', ['link', 'delete', name]);
  } catch (error) {
    // It goes by itself with the namespace of its task: before `ip` looks for it, or between that and the removal.
    if (!(error instanceof NetworkError && /Cannot find device|No such device/.test(error.message))) throw error;
  }
}

/** Commands of `ip`, in the namespace of a process or the host's, until the first that fails. */
function batch(commands: readonly string[], pid?: number): Promise<string> {
  const input = `${commands.join('\n')}\n`;
  return pid === undefined
    ? run('ip', ['-batch', '-'], input)
    : run('nsenter', [`--net=/proc/${pid}/ns/net`, 'ip', '-batch', '-'], input);
}
