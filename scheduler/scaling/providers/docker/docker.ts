import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Log } from '@slipway/auth/contract';

import { type Cidr } from '../../../network/addresses/index.ts';
import {
  type InstanceProvider,
  type MachineSpec,
  type ProvidedMachine,
  ProviderError,
  readable,
  type Rest,
} from '../instance-provider.ts';
import { freeAddress, gatewayOf, overlap, routes, unfit } from './addresses.ts';
import { type Machine, machineIds, type Names, namesOf, readMachine, writeMachine } from './machine.ts';
import { makeNetwork, removeNetwork } from './network.ts';
import { endProcesses, mainProgram, runners } from './processes.ts';
import { whatLacks, withSystem } from './programs.ts';

export interface DockerProviderOptions {
  /** As groups name it. */
  readonly name: string;
  /** Holds a folder for each machine: its engine's images and containers are there. */
  readonly folder: string;
  /** What machines have addresses of. */
  readonly range: Cidr;
  /** Machines at once, of all groups. */
  readonly most: number;
  /** The program of an agent and its words; it finds its settings in its environment. */
  readonly agent: readonly string[];
  /** What engines and agents find in their environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly log: Log;
}

/** Milliseconds that an engine has to answer in, and that one has to end its containers in. */
const startWithin = 120_000;
const endWithin = 60_000;

/** Settings that an agent is given: nothing else that a launch template says reaches a program of root's. */
const isSetting = (name: string): boolean => /^(?:ECS_|AWS_|SLIPWAY_)[A-Z0-9_]+$/.test(name);

/**
 * Machines on this very computer: each a network namespace with a Docker engine of its own and an agent, so that everything that groups do can be tried where there is
 * one computer. They outlive the server; one whose processes ended is started again as it was, when it is listed. Names follow from the ids, so
 * that whatever a killed server has left of a machine is found and ended.
 */
export function dockerProvider(options: DockerProviderOptions): InstanceProvider {
  return new DockerMachines(options);
}

class DockerMachines implements InstanceProvider {
  readonly name: string;
  readonly rests = ['Stopped'] as const;
  readonly #options: DockerProviderOptions;
  /** What is under way, by the id of its machine; and the last launch, as addresses are given one after another. */
  readonly #busy = new Map<string, Promise<unknown>>();
  #described: Promise<unknown> = Promise.resolve();
  /** Machines that could not be started again, until they are: each look tries, and one line tells of it. */
  readonly #down = new Set<string>();

  constructor(options: DockerProviderOptions) {
    this.name = options.name;
    this.#options = options;
  }

  async launch(spec: MachineSpec, signal: AbortSignal): Promise<void> {
    const lack = await whatLacks(this.#options.env['PATH']);
    if (lack !== undefined) throw new ProviderError(lack);
    const names = this.#names(spec.id);
    await this.#alone(names.id, async () => {
      const described = this.#described.then(() => this.#describe(names, spec));
      this.#described = described.catch(() => undefined);
      await this.#boot(names, await described, signal);
    });
  }

  async stop(id: string, owner: string, _rest: Rest, _signal: AbortSignal): Promise<void> {
    const names = this.#names(id);
    await this.#alone(id, async () => {
      const machine = await this.#known(names, owner);
      await writeMachine(names, { ...machine, stopped: true });
      await endProcesses(names, endWithin);
      await removeNetwork(names);
    });
  }

  async start(id: string, owner: string, signal: AbortSignal): Promise<void> {
    const names = this.#names(id);
    await this.#alone(id, async () => {
      const { stopped: _, ...machine } = await this.#known(names, owner);
      await writeMachine(names, machine);
      await this.#boot(names, machine, signal);
    });
  }

  async #known(names: Names, owner: string): Promise<Machine> {
    const machine = await readMachine(names);
    if (machine?.owner !== owner) throw new ProviderError(`this computer has no machine ${names.id}`);
    return machine;
  }

  async terminate(id: string, _owner: string, _signal: AbortSignal): Promise<void> {
    const names = this.#names(id);
    if (process.getuid?.() !== 0) {
      if ((await machineIds(this.#options.folder)).includes(id)) throw new ProviderError((await whatLacks()) ?? '');
      return;
    }
    await this.#alone(id, async () => {
      await endProcesses(names, endWithin);
      await removeNetwork(names);
      await rm(names.run, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
      await rm(names.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
      this.#down.delete(id);
    });
  }

  async list(owner: string, signal: AbortSignal): Promise<readonly ProvidedMachine[]> {
    const found: ProvidedMachine[] = [];
    for (const id of await machineIds(this.#options.folder)) {
      const names = this.#names(id);
      const machine = await readMachine(names);
      if (machine?.owner !== owner) continue;
      found.push({ id, owner });
      // After a restart of this computer, say. Its group replaces it where that does not help.
      if (machine.stopped !== true && !this.#busy.has(id) && (await runners(names)).length === 0)
        void this.#alone(id, () => this.#boot(names, machine, signal))
          .then(() => this.#down.delete(id))
          .catch((error: unknown) => {
            if (!signal.aborted) this.#tellDown(names, error);
          });
    }
    return found;
  }

  #names(id: string): Names {
    return namesOf(this.#options.folder, id);
  }

  #tellDown({ id, folder }: Names, err: unknown): void {
    if (this.#down.has(id)) return;
    this.#down.add(id);
    this.#options.log.warn(
      { err, instance: id, provider: this.name },
      `a machine whose processes ended cannot be started again; it is tried until it can, or its group replaces it: the error and ${join(folder, 'machine.log')} say what to correct`,
    );
  }

  /** Does one thing of a machine after another. */
  async #alone(id: string, work: () => Promise<void>): Promise<void> {
    const before = this.#busy.get(id) ?? Promise.resolve();
    const done = before.catch(() => undefined).then(work);
    this.#busy.set(id, done);
    try {
      await done;
    } finally {
      if (this.#busy.get(id) === done) this.#busy.delete(id);
    }
  }

  /** Writes what a machine is to be, unless it is written: it is listed from now on. @throws ProviderError when there is no room for it */
  async #describe(names: Names, { id, owner, settings }: MachineSpec): Promise<Machine> {
    const known = await readMachine(names);
    if (known !== undefined) return known;
    const { folder, range, most } = this.#options;
    const others = (await machineIds(folder)).filter((other) => other !== id);
    if (others.length >= most)
      throw new ProviderError(
        `this computer has ${others.length} machines, and is to have ${most} at most: say docker most=${others.length + 1} in SLIPWAY_INSTANCE_PROVIDERS for more`,
      );
    const found = await routes();
    const wrong = unfit(range, most) ?? overlap(range, found);
    if (wrong !== undefined) throw new ProviderError(wrong);
    const held = await Promise.all(others.map(async (other) => (await readMachine(this.#names(other)))?.address ?? ''));
    const machine = {
      id,
      owner,
      address: freeAddress(range, held, found),
      gateway: gatewayOf(range),
      settings: Object.fromEntries(Object.entries(settings).filter(([name]) => isSetting(name))),
    };
    await writeMachine(names, machine);
    return machine;
  }

  /** Starts a machine unless it runs; what is left of an earlier run is taken away first. Resolves when its engine answers. @throws ProviderError */
  async #boot(names: Names, machine: Machine, signal: AbortSignal): Promise<void> {
    // It was ended or stopped while this waited.
    const now = await readMachine(names);
    if (now === undefined || now.stopped === true) return;
    if ((await runners(names)).length === 0) {
      await endProcesses(names, 0);
      await removeNetwork(names);
      await rm(names.run, { recursive: true, force: true });
      await makeNetwork(names, machine);
      await this.#start(names);
    }
    const until = performance.now() + startWithin;
    while (!(await answers(names.socket))) {
      if ((await runners(names)).length === 0)
        throw new ProviderError(`the Docker engine of ${names.id} does not run: ${await complaintOf(names)}`);
      if (performance.now() > until)
        throw new ProviderError(`the Docker engine of ${names.id} does not answer after ${startWithin / 1000} seconds`);
      await sleep(100, undefined, { signal });
    }
  }

  async #start({ folder }: Names): Promise<void> {
    const { agent, env } = this.#options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const log = openSync(join(folder, 'machine.log'), 'a', 0o600);
    const mounts = ['--mount', '--propagation', 'slave', '--'];
    const child = spawn(
      'unshare',
      [...mounts, process.execPath, '--max-semi-space-size=2', mainProgram, folder, ...agent],
      {
        env: { ...env, PATH: withSystem(env['PATH']) },
        stdio: ['ignore', log, log],
        cwd: '/',
        detached: true,
      },
    );
    closeSync(log);
    child.unref();
    await new Promise((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => reject(new ProviderError(`no process can be started: ${error.message}`)));
    });
  }
}

/** Whether an engine answers at its socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const settle = (is: boolean): void => {
      socket.destroy();
      resolve(is);
    };
    socket.setTimeout(5_000, () => settle(false));
    socket.on('error', () => settle(false)).on('close', () => settle(false));
    socket.on('data', (chunk) => settle(/^HTTP\/1\.\d 200/.test(chunk.toString('latin1'))));
    socket.write('GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n');
  });
}

/** What a machine said last that sounds like a complaint. */
async function complaintOf({ folder }: Names): Promise<string> {
  const text = await readFile(join(folder, 'machine.log'), 'utf8').catch(() => '');
  const lines = text.slice(-16_384).trim().split('\n');
  const said = lines.findLast((line) => /fail|error|fatal|cannot/i.test(line)) ?? lines.at(-1) ?? '';
  return readable(said, 300) || 'its log is empty';
}
