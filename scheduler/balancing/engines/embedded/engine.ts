import { chmod, mkdir, readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { EngineError, type TrafficEngine } from '../contract.ts';
import { startDetached, until } from '../detached.ts';
import { readApplied, readObservation } from './protocol.ts';

export interface EmbeddedOptions {
  /** Of this engine alone, absolute and short enough for a socket's name; what lies there is how the next server finds it. */
  readonly folder: string;
}

/**
 * The engine that needs nothing but Node: a process of its own, adopted where one answers already. It has one table of decisions, which a
 * state replaces at once, so that what it has applied is what it serves.
 */
export async function openEmbedded({ folder }: EmbeddedOptions): Promise<TrafficEngine> {
  if (!folder.startsWith('/') || folder.length > 80) {
    throw new EngineError(`the engine's folder ${folder} must be an absolute path of at most 80 characters`);
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const socketPath = join(folder, 'control.sock');
  const logPath = join(folder, 'engine.log');

  const start = (): Promise<true> =>
    startDetached({
      name: 'the embedded engine',
      program: process.execPath,
      args: [join(import.meta.dirname, 'main.ts'), socketPath],
      cwd: '/',
      logPath,
      probe: async () => ((await answers()) ? true : undefined),
      complaints: async () => (await readFile(logPath, 'utf8').catch(() => '')).slice(0, 2000),
    });

  async function answers(): Promise<boolean> {
    return ask(socketPath, 'GET', '/observation').then(
      () => true,
      () => false,
    );
  }

  let starting: Promise<unknown> | undefined;
  /** Starts the process where none answers, once for all who ask. */
  async function ensure(): Promise<void> {
    if (await answers()) return;
    starting ??= start().finally(() => (starting = undefined));
    await starting;
  }

  let queue: Promise<unknown> = Promise.resolve();
  return {
    kind: 'embedded',
    apply(desired) {
      const turn = queue.then(async () => {
        await ensure();
        return readApplied(await ask(socketPath, 'PUT', '/state', JSON.stringify(desired)));
      });
      queue = turn.catch(() => undefined);
      return turn;
    },
    observe: async () => readObservation(await ask(socketPath, 'GET', '/observation')),
    close: async () => undefined,
    async stop() {
      if (!(await answers())) return;
      await ask(socketPath, 'POST', '/stop');
      await until(async () => ((await answers()) ? undefined : true), 'the embedded engine did not end');
    },
  };
}

async function ask(socketPath: string, method: string, path: string, body?: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      reject(
        new EngineError(`the embedded engine does not run (${error.message}): apply a state to start it`, {
          cause: error,
        }),
      );
    };
    const asked = request({ socketPath, method, path, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', failed);
      response.on('end', () => {
        try {
          const answer = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { error?: string };
          if (response.statusCode === 200) resolve(answer);
          else reject(new EngineError(answer.error ?? `the embedded engine answers ${response.statusCode}`));
        } catch (error) {
          failed(error as Error);
        }
      });
    });
    asked.on('error', failed);
    asked.end(body);
  });
}
