import { execFile } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EngineError } from '../contract.ts';
import { type Commands, masterCommands, type Processes } from './commands.ts';
import { emptied, startDetached, until } from '../detached.ts';
import type { Configuration } from './configure.ts';

/** HAProxy's master and the folder it works from. */
export interface HaproxyProcess {
  readonly commands: Commands;
  /** Writes the files and starts it, or has it reload; answers with the worker's number. @throws EngineError with HAProxy's own words. */
  load(configuration: Configuration): Promise<number>;
  /** Replaces one file, by its path below the folder. */
  write(path: string, content: string): Promise<void>;
  /** Undefined where none runs. */
  processes(): Promise<Processes | undefined>;
  stop(): Promise<void>;
}

export interface ProcessPlace {
  /** Absolute and short enough for a socket's name; made if missing, for the owner alone. */
  readonly folder: string;
  readonly program: string;
}

/** @throws EngineError for a folder whose name a configuration or a socket cannot have. */
export function haproxyProcess({ folder, program }: ProcessPlace): HaproxyProcess {
  if (!/^\/[\w./-]{1,80}$/.test(folder)) {
    throw new EngineError(
      `the engine's folder ${folder} must be an absolute path of at most 80 letters, digits, and ._/-`,
    );
  }
  const socketPath = join(folder, 'master.sock');
  const configPath = join(folder, 'haproxy.cfg');
  const logPath = join(folder, 'haproxy.log');
  const commands = masterCommands(socketPath);

  async function processes(): Promise<Processes | undefined> {
    try {
      return await commands.processes();
    } catch {
      return undefined;
    }
  }

  async function writeAll({ text, files, maps }: Configuration): Promise<void> {
    await mkdir(join(folder, 'empty'), { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
    for (const [path, content] of files) await replace(join(folder, path), content);
    for (const [name, entries] of maps) {
      await replace(join(folder, 'maps', name), [...entries].map(([key, value]) => `${key} ${value}\n`).join(''));
    }
    await replace(configPath, text);
  }

  /** Removes certificates with their keys, but for those of these paths. */
  async function sweepCertificates(kept: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(join(folder, 'certificates')).catch(() => []))
      if (!kept.has(`certificates/${name}`)) await rm(join(folder, 'certificates', name), { force: true });
  }

  /** What HAProxy complained of since the log was emptied. */
  async function complaints(): Promise<string> {
    const text = await readFile(logPath, 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter((line) => line.includes('[ALERT]'))
      .join('; ')
      .slice(0, 2000);
  }

  async function start(): Promise<number> {
    await rm(socketPath, { force: true });
    return startDetached({
      name: `HAProxy (${program})`,
      program,
      args: ['-W', '-S', `${socketPath},mode,600`, '-f', configPath],
      cwd: folder,
      logPath,
      probe: async () => (await processes())?.workers.find(({ leaving }) => !leaving)?.pid,
      complaints,
    });
  }

  async function reload(before: Processes): Promise<number> {
    await (await emptied(logPath)).close();
    const known = new Set(before.workers.map(({ pid }) => pid));
    await commands.reload();
    return until(async () => {
      const now = await processes();
      if (now === undefined || now.reloads <= before.reloads) return undefined;
      if (now.failedReloads > 0) throw new EngineError(`HAProxy refuses its new configuration: ${await complaints()}`);
      return now.workers.find(({ pid, leaving }) => !leaving && !known.has(pid))?.pid;
    }, 'HAProxy did not reload');
  }

  return {
    commands,
    processes,
    write: (path, content) => replace(join(folder, path), content),
    async load(configuration) {
      await writeAll(configuration);
      const running = await processes();
      const worker = running === undefined ? await start() : await reload(running);
      // Processes have read them: keys of certificates that are no longer served do not stay.
      await sweepCertificates(new Set(configuration.files.keys()));
      return worker;
    },
    async stop() {
      const running = await processes();
      if (running === undefined) return;
      signal(running.master, 'SIGTERM');
      await until(
        async () => ([running.master, ...running.workers.map(({ pid }) => pid)].some(isAlive) ? undefined : true),
        'HAProxy did not end',
      );
      await sweepCertificates(new Set());
    },
  };
}

/** @throws EngineError where the program is missing, too old, or built without what the configuration uses. */
export async function checkProgram(program: string): Promise<void> {
  const text = await new Promise<string>((resolve, reject) => {
    execFile(program, ['-vv'], (error, stdout) => {
      if (error === null) resolve(stdout);
      else
        reject(
          new EngineError(
            `HAProxy cannot be run as ${program}: ${error.message}; install it (apt-get install haproxy)`,
            { cause: error },
          ),
        );
    });
  });
  const version = /^HAProxy version (\d+)\.(\d+)/m.exec(text);
  if (version === null || Number(version[1]) * 100 + Number(version[2]) < 206) {
    throw new EngineError(`${program} is not HAProxy 2.6 or newer: ${text.split('\n')[0]}`);
  }
  for (const feature of ['LUA', 'OPENSSL', 'PCRE2']) {
    if (!text.includes(`+${feature}`))
      throw new EngineError(`${program} is built without ${feature}, which rules and certificates need`);
  }
}

/** Replaces a file at once; nobody else may read it. */
async function replace(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.new`;
  await writeFile(fresh, content, { mode: 0o600 });
  await rename(fresh, path);
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

function isAlive(pid: number): boolean {
  return signal(pid, 0);
}
