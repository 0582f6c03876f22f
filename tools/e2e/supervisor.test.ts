import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../testbed/command.ts';
import { ServerProcess } from '../testbed/server-process.ts';

/** A server of two processes of which one after the other is killed, the first one too. */
const folder = mkdtempSync(join(tmpdir(), 'slipway-supervisor-'));
let server: ServerProcess;

beforeAll(async () => {
  server = new ServerProcess(await freePort(), join(folder, 'data'), { SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '2' });
  await server.start();
  await until('both processes', 180_000, async () => serving().length === 2);
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The processes below the one that people started, with what they were started as. */
function processes(): readonly { readonly pid: number; readonly part: string }[] {
  const tasks = readdirSync(`/proc/${server.pid}/task`);
  const pids = tasks.flatMap((task) =>
    readFileSync(`/proc/${server.pid}/task/${task}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
  );
  return pids.flatMap((pid) => {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
      const part = environment.find((one) => one.startsWith('SLIPWAY_PROCESS='))?.split(/[=:]/)[1];
      return part === undefined ? [] : [{ pid, part }];
    } catch {
      return [];
    }
  });
}

/** Those that listen: sockets of the port in the listening state belong to them. */
function serving(): readonly { readonly pid: number; readonly part: string }[] {
  const port = `:${server.port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`;
  const listening = readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .filter((line) => line.includes(port)).length;
  const all = processes();
  return listening === all.length ? all : [];
}

const upkeep = (): number | undefined => serving().find(({ part }) => part !== 'worker')?.pid;

/** Asks over a new connection, again where a process went away with it. @returns how often it had to be asked again */
async function ask(): Promise<number> {
  for (let again = 0; ; again++) {
    try {
      const answer = await fetch(`${server.endpoint}/healthz`, { headers: { connection: 'close' } });
      expect(answer.status).toBe(200);
      await answer.text();
      return again;
    } catch (error) {
      if (again === 10 || (error as Error).name === 'AssertionError') throw error;
    }
  }
}

test('whichever process is killed under load, the first one too, the service goes on and it is started again', async () => {
  const supervisor = server.pid;
  const stop = new AbortController();
  let answered = 0;
  const load = Promise.all(
    Array.from({ length: 8 }, async () => {
      for (; !stop.signal.aborted; answered++) await ask();
    }),
  );
  const victims = [upkeep, () => serving().find(({ part }) => part === 'worker')?.pid, upkeep];
  for (const victim of victims) {
    const pid = await until('a process to kill', 180_000, async () => victim());
    process.kill(pid, 'SIGKILL');
    const before = answered;
    await until('answers after it', 180_000, async () => answered > before + 50);
    await until('another in its place', 180_000, async () => {
      const now = serving();
      return now.length === 2 && now.every((one) => one.pid !== pid) && now.some(({ part }) => part !== 'worker');
    });
  }
  stop.abort();
  await load;
  expect(server.pid).toBe(supervisor);
  expect(
    serving()
      .map(({ part }) => part)
      .sort(),
  ).toEqual(['upkeep', 'worker']);
  const { pid } = JSON.parse(readFileSync(join(server.data, 'server.json'), 'utf8')) as { pid: number };
  expect(pid).toBe(supervisor);
});

test('all of them killed at once come back as well', async () => {
  const before = await until('both processes', 180_000, async () => (serving().length === 2 ? serving() : undefined));
  for (const { pid } of before) process.kill(pid, 'SIGKILL');
  await until('two others', 180_000, async () => {
    const now = serving();
    return now.length === 2 && now.every(({ pid }) => before.every((one) => one.pid !== pid));
  });
  expect(await ask()).toBe(0);
});

test('a signal ends all of them, with exit code 0', async () => {
  const pids = processes().map(({ pid }) => pid);
  expect(pids).toHaveLength(2);
  expect(await server.stop('SIGINT')).toBe(0);
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});

test('with the supervisor its processes end', async () => {
  await server.start();
  const pids = await until('both processes', 180_000, async () =>
    serving().length === 2 ? processes().map(({ pid }) => pid) : undefined,
  );
  await server.stop('SIGKILL');
  await until('their ends', 180_000, async () => pids.every(hasEnded));
  expect(pids).toHaveLength(2);
});

test('what the next start would not heal ends the server, with what to do and exit code 1', async () => {
  const taken = new ServerProcess(server.port, join(folder, 'other'), { SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '2' });
  await server.start();
  await expect(taken.start()).rejects.toThrow(/it ended \(code 1\)[^]*is taken by another program/);
  const misspelt = new ServerProcess(await freePort(), join(folder, 'other'), { SLIPWAY_WORKERS: '2', SLIPWAY_X: '1' });
  await expect(misspelt.start()).rejects.toThrow(/it ended \(code 1\)[^]*SLIPWAY_X/);
});

/** Also true of a process that nobody has asked about its end yet. */
function hasEnded(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return true;
  }
}
