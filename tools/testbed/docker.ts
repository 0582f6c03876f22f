import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { copyFile, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, type CommandResult, run } from './command.ts';

/** The docker command line with a configuration folder of its own, so that logins stay out of the user's. */
export class DockerCli {
  readonly #config: string;

  constructor() {
    this.#config = mkdtempSync(join(tmpdir(), 'slipway-docker-'));
  }

  run(args: readonly string[], input?: string | Buffer): Promise<CommandResult> {
    return run('docker', args, { env: { DOCKER_CONFIG: this.#config }, ...(input === undefined ? {} : { input }) });
  }

  async check(args: readonly string[], input?: string | Buffer): Promise<string> {
    const result = await this.run(args, input);
    if (result.code !== 0)
      throw new Error(`docker ${args.join(' ')}: exit ${result.code}\n${result.stdout}${result.stderr}`);
    return result.stdout.trim();
  }

  /** Removes what this machine's engine has of a registry (`host:port`): its images, and the containers that were made of them. */
  forget(registry: string): Promise<void> {
    return this.remove(`${registry}/*`, `${registry}/*/*`);
  }

  /** Removes images, and the containers that were made of them. @param names with any tag; `*` is any one part of a path */
  async remove(...names: readonly string[]): Promise<void> {
    const lines = (printed: string): string[] => [...new Set(printed.split('\n'))].filter((line) => line !== '');
    const filters = names.flatMap((name) => ['--filter', `reference=${name}`]);
    for (const id of lines(await this.check(['images', '-q', ...filters]))) {
      const made = lines(await this.check(['ps', '-aq', '--filter', `ancestor=${id}`]));
      if (made.length > 0) await this.run(['rm', '-f', ...made]);
      await this.run(['rmi', '-f', id]);
    }
  }

  dispose(): void {
    rmSync(this.#config, { recursive: true, force: true });
  }
}

export interface TestImage {
  /** `name:tag` under which the engine holds it. */
  readonly reference: string;
  /** Files by absolute path. */
  readonly files?: Readonly<Record<string, string>>;
  /** Programs of this machine by the absolute path that they get; they must need no libraries. */
  readonly programs?: Readonly<Record<string, string>>;
  readonly command: readonly string[];
}

/**
 * Makes an image from the static busybox and a few files, without pulling anything. Busybox' httpd serves `/www`
 * on port 8080 when the command says so: {@link webCommand}.
 */
export async function makeImage(docker: DockerCli, image: TestImage): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'slipway-image-'));
  try {
    for (const folder of ['bin', 'tmp', 'www', 'etc']) mkdirSync(join(root, folder));
    await copyFile('/usr/bin/busybox', join(root, 'bin', 'busybox'));
    for (const applet of ['sh', 'wget', 'sleep', 'httpd']) await symlink('busybox', join(root, 'bin', applet));
    for (const [path, text] of Object.entries(image.files ?? {})) {
      mkdirSync(join(root, path, '..'), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    for (const [path, program] of Object.entries(image.programs ?? {})) {
      mkdirSync(join(root, path, '..'), { recursive: true });
      await copyFile(program, join(root, path));
    }
    const archive = join(root, '..', `${root.split('/').at(-1) ?? 'image'}.tar`);
    await check('tar', ['-cf', archive, '-C', root, '.']);
    try {
      await docker.check([
        'import',
        '--change',
        `CMD ${JSON.stringify(image.command)}`,
        '--change',
        'ENV PATH=/bin',
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

/** Serves the folder `/www` on port 8080 and ends at once on SIGTERM. */
export const webCommand = ['/bin/sh', '-c', 'trap "exit 0" TERM; httpd -f -p 8080 -h /www & wait'];

/** An image whose web page says `version`. */
export function webImage(reference: string, version: string): TestImage {
  return { reference, files: { '/www/index.html': version }, command: webCommand };
}

/** Why the end-to-end tests cannot run here; undefined when a Docker engine answers and busybox is there. */
export async function missingDocker(): Promise<string | undefined> {
  const version = await run('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: 180_000 }).catch(
    (error: unknown) => ({
      code: 1,
      stderr: String(error),
      stdout: '',
    }),
  );
  if (version.code !== 0) return `no Docker engine answers: ${version.stderr.trim().split('\n').at(-1) ?? ''}`;
  const busybox = await run('/usr/bin/busybox', ['--list'], {}).catch(() => undefined);
  return busybox?.stdout.split('\n').includes('httpd')
    ? undefined
    : 'no static busybox with httpd in /usr/bin (package busybox-static)';
}
