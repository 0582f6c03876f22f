import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Files of this computer. */
export interface HostFiles {
  /** Whom programs ask for names. */
  readonly names: string;
  /** Whom the service asks that programs of this computer ask on its loopback. */
  readonly beyondStub: string;
  /** Holds the socket of a containerd that is nobody's own. */
  readonly containerd: string;
}

const usual: HostFiles = {
  names: '/etc/resolv.conf',
  beyondStub: '/run/systemd/resolve/resolv.conf',
  containerd: '/run/containerd',
};

/**
 * What the programs of a machine are to see otherwise than this computer's do, each as words of `mount`:
 * - Where names are asked for of a service on this computer's loopback, machines ask where that does.
 * - A Docker engine uses whatever containerd has a socket at the usual place, as that of systemd's docker.service has: containers would be started in the network of this
 *   computer, with files that only the machine sees. Where there is none, an engine starts one of its own.
 */
export async function mountsOf(files = usual): Promise<readonly (readonly string[])[]> {
  const asked = (await readFile(files.names, 'utf8').catch(() => '')).match(/^nameserver\s+\S+/gm) ?? [];
  const isStub = asked.length > 0 && asked.every((line) => /\s127\./.test(line)) && existsSync(files.beyondStub);
  return [
    ...(isStub ? [['--bind', files.beyondStub, files.names]] : []),
    ...(existsSync(join(files.containerd, 'containerd.sock'))
      ? [['-t', 'tmpfs', '-o', 'mode=0711,nodev,nosuid,noexec', 'slipway-machine', files.containerd]]
      : []),
  ];
}
