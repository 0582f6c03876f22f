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
 * Begins the routed link between this host and the network namespace of a process, whose end is its task's interface. There is no bridge:
 * all traffic of the task, to tasks of the same host too, is routed and so passes the packet filter. What an earlier attempt left is
 * looked for only where the new one meets it.
 *
 * @param pid of a process in the namespace, which must stay for as long as the link shall
 * @param mtu bytes of a packet, the smallest on the way to any other task
 * @returns whether there is more to do, {@link finishLink}; one that an earlier attempt completed stays as it is
 * @throws NetworkError
 */
export async function beginLink(prefix: string, attachment: Attachment, pid: number, mtu: number): Promise<boolean> {
  const name = linkOf(prefix, attachment.id);
  try {
    await makeEnds(name, attachment, pid, mtu);
    return true;
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error;
    const found = (await listLinks(prefix)).find((link) => link.name === name);
    if (found === undefined) throw error;
    if (found.complete) return false;
  }
  await removeLink(name);
  await makeEnds(name, attachment, pid, mtu);
  return true;
}

function makeEnds(name: string, { mac }: Attachment, pid: number, mtu: number): Promise<string> {
  return batch([
    `link add ${name} mtu ${mtu} type veth peer name eth0 address ${mac} mtu ${mtu} netns ${pid}`,
    `addr add ${gateway}/32 dev ${name} scope link`,
    `link set ${name} up`,
  ]);
}

/** Gives both ends of a link that was begun what they are to have: `eth0` a /32 and a default route, the host the way to it. @throws NetworkError */
export async function finishLink(prefix: string, { id, address }: Attachment, pid: number): Promise<void> {
  const name = linkOf(prefix, id);
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
  await batch([`route replace ${address}/32 dev ${name}`, `link set ${name} alias ${complete}`]);
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
