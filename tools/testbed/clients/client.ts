import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type CommandOptions, type CommandResult, run } from '../command.ts';
import type { ClientProgram } from './programs.ts';

/** A client at work in a folder that is its home, so that logins, caches and images stay out of the user's. */
export class Client {
  readonly folder: string;
  readonly #program: ClientProgram;
  readonly #before: readonly string[];

  /** @param before arguments that every call begins with */
  constructor(program: ClientProgram, parent: string, before: readonly string[] = []) {
    this.folder = join(parent, program.name);
    this.#program = program;
    this.#before = before;
    mkdirSync(this.folder, { recursive: true });
  }

  /** Runs the client; it must succeed. @returns what it printed on standard output, trimmed */
  async do(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.try(args);
    if (code !== 0) throw new Error(`${this.#program.name} ${args.join(' ')}: exit ${code}\n${stdout}${stderr}`);
    return stdout.trim();
  }

  /** Runs the client and says how it ended. */
  try(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const [command, all] = this.#line(args);
    return run(command, all, this.#options(options));
  }

  /** Starts the client as a daemon; its output goes to `log`. */
  start(args: readonly string[], log: number): ChildProcess {
    const [command, all] = this.#line(args);
    return spawn(command, all, {
      cwd: this.folder,
      env: { ...process.env, ...this.#home() },
      stdio: ['ignore', log, log],
    });
  }

  #line(args: readonly string[]): [string, readonly string[]] {
    const [command, ...own] = this.#program.command(this.folder);
    return [command, [...own, ...this.#before, ...args]];
  }

  #options(options: CommandOptions = {}): CommandOptions {
    return { cwd: this.folder, timeout: 120_000, ...options, env: { ...this.#home(), ...options.env } };
  }

  #home(): Record<string, string> {
    const home = this.folder;
    return {
      HOME: home,
      DOCKER_CONFIG: home,
      XDG_CONFIG_HOME: home,
      XDG_CACHE_HOME: home,
      XDG_DATA_HOME: home,
      XDG_RUNTIME_DIR: home,
      REGISTRY_AUTH_FILE: join(home, 'auth.json'),
      PODMAN_IGNORE_CGROUPSV1_WARNING: '1',
      COSIGN_PASSWORD: 'none',
      NO_COLOR: '1',
    };
  }
}

/** Options of podman and buildah for images of their own in a folder, unpacked without any mounts. */
export function ownStorage(folder: string): readonly string[] {
  return ['--storage-driver', 'vfs', '--root', join(folder, 'root'), '--runroot', join(folder, 'run')];
}
