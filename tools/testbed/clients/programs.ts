import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const ensureClients = join(import.meta.dirname, '..', '..', 'bin', 'ensure-clients');

/** A registry client of another maker, as a program that tests can run. */
export interface ClientProgram {
  readonly name: string;
  /** Why it cannot run on this machine; undefined when it can. */
  readonly missing: string | undefined;
  /** The program and what stands before its arguments, for a run that sees `folder` at its own path. */
  readonly command: (folder: string) => readonly [string, ...string[]];
}

/** Engines and builders mount things, in folders of their own or in a tree that is not this machine's. */
const onlyRoot = (name: string): string | undefined =>
  process.getuid?.() === 0 ? undefined : `${name} is run by root only`;

/** A client of this machine's own packages. @throws Error under CI when it is not there */
export function installedClient(name: string): ClientProgram {
  const path = (process.env['PATH'] ?? '')
    .split(delimiter)
    .concat('/usr/sbin', '/usr/local/sbin')
    .map((place) => join(place, name))
    .find((place) => existsSync(place));
  const missing = path === undefined ? `${name} is not installed` : undefined;
  const mounts = ['podman', 'buildah', 'containerd', 'ctr'].includes(name);
  return program(name, missing ?? (mounts ? onlyRoot(name) : undefined), () => [path ?? name]);
}

/** A client that `ensure-clients` builds by `go install`: waits for the build, which may take minutes. @throws Error under CI when there is none */
export async function builtClient(name: string): Promise<ClientProgram> {
  const { path, missing } = await bring(name);
  return program(name, missing, () => [path]);
}

/**
 * A client of a newer Debian than this machine's, run in the tree that `ensure-clients` unpacks: in a mount namespace of its
 * own, where it sees this machine's /proc, /sys and /dev, the folder it works in, and nothing else. @throws Error under CI when it is not there
 */
export async function newerClient(name: string): Promise<ClientProgram> {
  const { path, missing = onlyRoot(name) } = await bring('debian');
  const there = ['usr/bin', 'usr/sbin'].some((place) => existsSync(join(path, place, name)));
  return program(name, missing ?? (there ? undefined : `no ${name} in ${path}`), (folder) =>
    inTree(path, folder, name),
  );
}

/** As {@link newerClient}, of a program of this machine at `path`, which must need no libraries. */
export async function inNewerTree({ name, missing, command }: ClientProgram): Promise<ClientProgram> {
  const tree = await bring('debian');
  return program(name, missing ?? tree.missing ?? onlyRoot(name), (folder) => {
    const [path] = command(folder);
    return inTree(tree.path, folder, '/mnt/program', path);
  });
}

function program(name: string, missing: string | undefined, command: ClientProgram['command']): ClientProgram {
  if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);
  if (missing !== undefined) process.stderr.write(`Tests with ${name} are skipped: ${missing}\n`);
  return { name, missing, command };
}

/** Fetches and builds only where CI asks for it, or `npm test` does so too; elsewhere takes what is there. */
async function bring(name: string): Promise<{ readonly path: string; readonly missing: string | undefined }> {
  const mayBring = process.env['CI'] !== undefined || process.getuid?.() === 0;
  try {
    const { stdout } = await execute('sh', [ensureClients, ...(mayBring ? [] : ['--look']), name], {
      timeout: 1_500_000,
    });
    return { path: stdout.trim(), missing: undefined };
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    return { path: '', missing: stderr?.trim() || message };
  }
}

/** The root is mounted onto itself because podman pivots out of it when it unpacks layers. */
const enter = `
set -e
tree=$1; folder=$2; program=$3; shift 3
mount --bind "$tree" "$tree"
mount -t proc proc "$tree/proc"
mount --rbind /dev "$tree/dev"
mount --rbind /sys "$tree/sys"
for place in run tmp mnt; do mount -t tmpfs tmpfs "$tree/$place"; done
mkdir -p "$tree/$folder"
mount --bind "$folder" "$tree/$folder"
if [ -n "$program" ]; then touch "$tree/mnt/program"; mount --bind "$program" "$tree/mnt/program"; fi
PATH=/usr/sbin:/usr/bin exec unshare --root="$tree" --wd="$folder" "$@"`;

function inTree(tree: string, folder: string, name: string, mounted = ''): [string, ...string[]] {
  return ['unshare', '--mount', 'sh', '-c', enter, 'sh', tree, folder, mounted, name];
}
