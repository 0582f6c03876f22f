import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { ServerProcess } from './server-process.ts';

const main = join(import.meta.dirname, '..', 'cli', 'main.ts');

/** A `slipway agent` process beside this machine's engine, for a server without an agent of its own; its data folder survives restarts. */
export class AgentProcess {
  readonly #server: ServerProcess;
  readonly #data: string;
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  #log = '';

  constructor(server: ServerProcess, data: string, env: Readonly<Record<string, string>> = {}) {
    this.#server = server;
    this.#data = data;
    this.#env = env;
  }

  /** Everything the processes have printed, for failures. */
  get log(): string {
    return this.#log;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get hasEnded(): boolean {
    return this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Starts the process, and waits for nothing. */
  start(): void {
    const said = ['--endpoint', this.#server.endpoint, '--data', this.#data];
    const child = spawn(process.execPath, [main, 'agent', ...said], {
      env: { ...process.env, ...this.#server.aws(), ...this.#env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const take = (chunk: Buffer): void => {
      this.#log += chunk.toString();
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    this.#child = child;
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child === undefined || this.hasEnded) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }
}
