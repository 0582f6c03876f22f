import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { BoundedLog } from './bounded-log.ts';
import { engineConfig } from './engine-config.ts';
import { namesOf, readMachine } from './machine.ts';
import { mountsOf } from './mounts.ts';
import { runners } from './processes.ts';
import { must } from './programs.ts';
import { loopbackOf, relay } from './relay.ts';

// What runs a machine, outside of its network: its engine, its agent and its way to the server. `main.ts FOLDER AGENT-PROGRAM WORDS…`, until SIGTERM, or
// until the engine ends. It outlives the server that has started it. It is started in mounts of its own, which all that it starts shares: what an
// agent mounts for a task, its engine finds; and they end with the last of them.
const [folder = '', ...agent] = process.argv.slice(2);
const names = namesOf(dirname(folder), basename(folder));
const log = new BoundedLog(join(folder, 'machine.log'));
const say = (text: string): void => log.write(`${new Date().toISOString()} machine: ${text}\n`);

/** Between ends of an agent and its next start, and between asking it to end and ending it, in milliseconds. */
const pause = 5_000;
const patience = 20_000;

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
  for (const words of await mountsOf()) await must('mount', ...words);
  const inside = ['nsenter', `--net=/run/netns/${names.namespace}`, '--'];
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
