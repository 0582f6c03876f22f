import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { BoundedLog } from './bounded-log.ts';
import { engineConfig } from './engine-config.ts';
import { type Names, namesOf, readMachine } from './machine.ts';
import { runners } from './processes.ts';
import { loopbackOf, relay } from './relay.ts';

// What runs a machine, outside of its network: its engine, its agent and its way to the server. `main.ts FOLDER AGENT-PROGRAM WORDS…`, until SIGTERM, or
// until the engine ends. It outlives the server that has started it.
const [folder = '', ...agent] = process.argv.slice(2);
const names = namesOf(dirname(folder), basename(folder));
const log = new BoundedLog(join(folder, 'machine.log'));
const say = (text: string): void => log.write(`${new Date().toISOString()} machine: ${text}\n`);

/** Between ends of an agent and its next start, and between asking it to end and ending it, in milliseconds. */
const pause = 5_000;
const patience = 20_000;

/** Where names are asked for, by programs of this computer, is a service of its own loopback: machines ask where that does. */
const [stub, beyondStub] = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'];

async function nameServers(): Promise<string> {
  const asked = (await readFile(stub, 'utf8').catch(() => '')).match(/^nameserver\s+\S+/gm) ?? [];
  return asked.length > 0 && asked.every((line) => /\s127\./.test(line)) && existsSync(beyondStub) ? beyondStub : '';
}

/** What a program of the machine is started with: its network, and mounts of its own, which end with it. */
async function within({ namespace }: Names): Promise<readonly string[]> {
  const script = 'if [ -n "$1" ]; then mount --bind "$1" /etc/resolv.conf; fi; shift; exec "$@"';
  const mounts = ['unshare', '--mount', '--propagation', 'slave', '--', 'sh', '-ec', script, 'sh', await nameServers()];
  return ['nsenter', `--net=/run/netns/${namespace}`, '--', ...mounts];
}

function start(command: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  const [program = '', ...words] = command;
  const child = spawn(program, words, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => log.write(chunk));
  return child;
}

const ended = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
};

async function run(): Promise<void> {
  const machine = await readMachine(names);
  // Of two that were started at once, by servers that both meant to, one goes on.
  if (machine === undefined || (await runners(names)).some((pid) => pid < process.pid)) return;
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stopping.abort());
  await mkdir(names.run, { recursive: true, mode: 0o700 });
  await rm(join(names.run, 'dockerd.pid'), { force: true });
  const configFile = join(folder, 'daemon.json');
  await writeFile(configFile, JSON.stringify(await engineConfig(names, machine.settings['AWS_ENDPOINT_URL'])), {
    mode: 0o600,
  });
  const inside = await within(names);
  const loopback = loopbackOf(machine.settings['AWS_ENDPOINT_URL']);
  const way = loopback && (await relay(loopback, inside));
  const engine = start([...inside, 'dockerd', '--config-file', configFile], process.env);
  const engineEnds = ended(engine).then(() => stopping.abort());
  // What is the machine's own comes last: nobody's settings lead elsewhere.
  const own = { DOCKER_HOST: `unix://${names.socket}`, ECS_DATADIR: join(folder, 'agent') };
  while (!stopping.signal.aborted) {
    const child = start([...inside, ...agent], { ...process.env, ...machine.settings, ...own });
    const end = (): void => {
      child.kill('SIGTERM');
      setTimeout(() => child.kill('SIGKILL'), patience).unref();
    };
    stopping.signal.addEventListener('abort', end);
    await ended(child);
    stopping.signal.removeEventListener('abort', end);
    if (stopping.signal.aborted) break;
    say(`the agent ended with ${String(child.exitCode ?? child.signalCode)}; it is started again`);
    await sleep(pause, undefined, { signal: stopping.signal }).catch(() => undefined);
  }
  const failed = engine.exitCode !== null || engine.signalCode !== null;
  // It ends its containers first.
  engine.kill('SIGTERM');
  await engineEnds;
  way?.close();
  if (failed) say(`the engine ended with ${String(engine.exitCode ?? engine.signalCode)}`);
  process.exit(failed ? 1 : 0);
}

await run().catch((error: unknown) => {
  say(String(error));
  process.exit(1);
});
