import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { check } from './command.ts';
import type { DockerCli } from './docker.ts';

export interface LocalImage {
  readonly reference: string;
  /** Programs of this machine by absolute path; what they are linked against comes along. */
  readonly programs: readonly string[];
  /** Further files and folders: path on this machine -> path in the image. */
  readonly copies?: Readonly<Record<string, string>>;
  /** Folders of the image that belong to a user. */
  readonly owned?: { readonly folders: readonly string[]; readonly id: number };
  /** `docker import --change` lines. */
  readonly changes: readonly string[];
}

/**
 * Makes an image of a well-known name from programs that packages installed on this machine, for places where images cannot be
 * pulled: the programs with their libraries, busybox as the shell, nothing else.
 */
export async function makeLocalImage(docker: DockerCli, image: LocalImage): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'slipway-rootfs-'));
  try {
    for (const folder of ['bin', 'usr/bin', 'usr/local/bin', 'tmp', 'etc/ssl/certs', 'var', 'data', 'root'])
      mkdirSync(join(root, folder), { recursive: true });
    cpSync('/usr/bin/busybox', join(root, 'bin', 'busybox'));
    for (const applet of (await check('/usr/bin/busybox', ['--list'])).trim().split('\n')) {
      if (applet !== 'busybox') symlinkSync('/bin/busybox', join(root, 'bin', applet));
    }
    for (const program of image.programs) await copyProgram(root, program);
    for (const [from, to] of Object.entries(image.copies ?? {}))
      cpSync(from, join(root, to), { recursive: true, verbatimSymlinks: true });
    for (const name of image.owned?.folders ?? []) {
      mkdirSync(join(root, name), { recursive: true, mode: 0o700 });
      chownSync(join(root, name), image.owned?.id ?? 0, image.owned?.id ?? 0);
    }
    chmodSync(join(root, 'tmp'), 0o1777);
    const archive = `${root}.tar`;
    await check('tar', ['-cf', archive, '-C', root, '.']);
    try {
      await docker.check([
        'import',
        ...image.changes.flatMap((change) => ['--change', change]),
        archive,
        image.reference,
      ]);
    } finally {
      rmSync(archive, { force: true });
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function copyProgram(root: string, program: string): Promise<void> {
  const real = realpathSync(program);
  const target = join(root, 'usr', 'local', 'bin', program.split('/').at(-1) ?? 'program');
  cpSync(real, target, { dereference: true });
  const linked = await check('sh', ['-c', `ldd ${real} 2>/dev/null || true`]);
  for (const [, library = ''] of linked.matchAll(/(\/[^\s()]+)\s+\(0x/g)) copyLibrary(root, library);
  // Name look-ups load these at run time.
  for (const name of ['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2']) {
    for (const folder of readdirSync('/lib').filter((entry) => entry.endsWith('-linux-gnu'))) {
      const path = join('/lib', folder, name);
      if (existsSync(path)) copyLibrary(root, path);
    }
  }
}

function copyLibrary(root: string, path: string): void {
  mkdirSync(join(root, dirname(path)), { recursive: true });
  cpSync(realpathSync(path), join(root, path), { dereference: true });
}
