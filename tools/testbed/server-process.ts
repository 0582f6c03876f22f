import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { get } from 'node:https';
import { dirname, join } from 'node:path';
import { awsVariables } from '../cli/env.ts';
import { readServerState } from '../server/state-files.ts';
import { until } from './command.ts';

const main = join(import.meta.dirname, '..', 'cli', 'main.ts');
/** Where the launcher keeps compiled modules, so that a measured start is a user's start. */
const compileCache = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'slipway-node');

/** Addresses for a server's load balancers, which those of another test hardly have: `SLIPWAY_LB_ADDRESSES`. */
export const ownAddresses = (): string => `127.${randomInt(64, 250)}.${randomInt(250)}.0/24`;

/** What the launcher (tools/bin/slipway) tells Node. */
const memory = [
  '--min-semi-space-size=4',
  '--max-semi-space-size=4',
  '--initial-old-space-size=64',
  '--heap-growing-percent=25',
];

/** A `slipway serve` process of its own, with a port and a data folder that survive restarts. */
export class ServerProcess {
  readonly port: number;
  readonly data: string;
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  #log = '';

  constructor(port: number, data: string, env: Readonly<Record<string, string>> = {}) {
    this.port = port;
    this.data = data;
    this.#env = env;
  }

  get endpoint(): string {
    return `${this.#certificate === undefined ? 'http' : 'https'}://127.0.0.1:${this.port}`;
  }

  /** `host:port`, as image references name this registry. */
  get registry(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Everything the process has printed since it was made, for failures. */
  get log(): string {
    return this.#log;
  }

  /** The variables the process gets beside this process' own; commands of its operator need the same. */
  get environment(): Readonly<Record<string, string>> {
    return {
      SLIPWAY_PORT: String(this.port),
      SLIPWAY_DATA: this.data,
      // One agent of a machine can have it: the test that needs it says so.
      SLIPWAY_TASK_ENDPOINT: 'off',
      ...this.#env,
    };
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts the process and waits until it serves. */
  async start(timeout = 180_000): Promise<void> {
    const child = spawn(process.execPath, [...memory, main, 'serve'], {
      env: { NODE_COMPILE_CACHE: compileCache, ...process.env, ...this.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    const take = (chunk: Buffer): void => {
      this.#log += chunk.toString();
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    let exited: string | undefined;
    child.on('exit', (code, signal) => {
      exited = signal ?? `code ${code ?? 0}`;
    });
    const outcome = await until(
      'the server to serve',
      timeout,
      async () => {
        if (exited !== undefined) return 'ended';
        if (readServerState(this.data)?.pid !== child.pid) return undefined;
        return (await this.#healthy()) && 'serves';
      },
      50,
    ).catch((error: unknown) => {
      child.kill('SIGKILL');
      throw new Error(`the server did not start:\n${this.#log}`, { cause: error });
    });
    if (outcome === 'ended') throw new Error(`the server did not start, it ended (${exited}):\n${this.#log}`);
  }

  get #certificate(): string | undefined {
    return this.#env['SLIPWAY_TLS_CERTIFICATE'];
  }

  /** A certificate is trusted by the authority that `slipway tls init` has put beside it. */
  async #healthy(): Promise<boolean> {
    const url = `${this.endpoint}/healthz`;
    if (this.#certificate === undefined) return (await fetch(url)).ok;
    const ca = readFileSync(join(dirname(this.#certificate), 'ca.crt'));
    return new Promise((resolve, reject) => {
      get(url, { ca }, (response) => resolve(response.resume().statusCode === 200)).on('error', reject);
    });
  }

  /** Sends a signal and waits for the end. @returns the exit code, or 128 when a signal ended it */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? 128;
    const ended = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 128)));
    child.kill(signal);
    return ended;
  }

  /** The `AWS_*` variables that `slipway env` prints. */
  aws(): Record<string, string> {
    return awsVariables(this.data);
  }
}
