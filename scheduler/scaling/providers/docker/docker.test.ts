import { execFile, execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { Log } from '@slipway/auth/contract';
import { afterAll, describe, expect, test, vi } from 'vitest';

import { parseCidr } from '../../../network/addresses/index.ts';
import { holdToContract, newId, specOf } from '../testing/provider-contract.ts';
import { dockerProvider } from './docker.ts';
import { engineConfig } from './engine-config.ts';
import { namesOf, readMachine } from './machine.ts';
import { runners } from './processes.ts';
import { whatLacks } from './programs.ts';
import { loopbackOf } from './relay.ts';

const lacks =
  (await whatLacks()) ??
  ['/usr/bin/docker', '/usr/bin/busybox'].map((path) => (existsSync(path) ? undefined : `no ${path}`)).find(Boolean);
if (lacks !== undefined && process.env['CI']) throw new Error(lacks);

vi.setConfig({ testTimeout: 300_000 });

/** Seconds that a container of this run alone sleeps. */
const nap = String(1_000_000 + process.pid);
const over = new AbortController().signal;
const folder = mkdtempSync(join(tmpdir(), 'slipway-machines-of-'));
let count = 0;
const net = `198.19.${100 + (process.pid % 100)}`;
const range = parseCidr(`${net}.0/28`) ?? { base: 0, length: 0 };
const env = { PATH: process.env['PATH'] ?? '' };
/** What providers warned of: the machine, the error, the words. */
const warned: unknown[][] = [];
const log: Log = {
  info: () => undefined,
  warn: ({ instance, err }, text) => void warned.push([instance, err, text]),
  error: () => undefined,
};
const open = (own = join(folder, String(++count))) =>
  dockerProvider({ name: 'here', folder: own, range, most: 2, agent: ['sleep', '3600'], env, log });

const shown = (program: string, ...words: string[]): string =>
  execFileSync(program, words, { encoding: 'utf8', stdio: 'pipe' });

const shownLater = promisify(execFile);

/** Everything that a machine leaves on a computer as long as it is there. */
function traces(id: string, root: string): string[] {
  const { folder: own, run, namespace, link, comment } = namesOf(root, id);
  const rules = ['filter', 'nat'].map((table) => shown('iptables', '-w', '5', '-t', table, '-S')).join('\n');
  return [
    ...(existsSync(own) ? ['folder'] : []),
    ...(existsSync(run) ? ['run'] : []),
    ...(existsSync(`/run/netns/${namespace}`) ? ['namespace'] : []),
    ...(existsSync(`/sys/class/net/${link}`) ? ['link'] : []),
    ...(rules.includes(comment) ? ['rules'] : []),
    ...(readFileSync('/proc/mounts', 'utf8').includes(`${own}/`) ? ['mounts'] : []),
    ...(shown('ps', '-eo', 'args').includes(`${run}/`) ? ['processes'] : []),
  ];
}

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(lacks !== undefined)(`this computer${lacks === undefined ? '' : ` (${lacks})`}`, () => {
  const made: { readonly id: string; readonly root: string }[] = [];
  afterAll(async () => {
    for (const { id, root } of made) await open(root).terminate(id, 'me', over);
  });

  holdToContract('this computer', () => open());

  test('runs a machine again that was killed, as it was, and leaves nothing of one that it ends', async () => {
    const root = join(folder, 'killed');
    const id = newId();
    made.push({ id, root });
    const names = namesOf(root, id);
    const server = createServer((_request, response) => response.end('from here')).listen(0, '127.0.0.1');
    await vi.waitFor(() => expect(server.listening).toBe(true), 60_000);
    const { port } = server.address() as AddressInfo;
    const settings = { AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`, NODE_OPTIONS: '--inspect', ECS_CLUSTER: 'lab' };
    await open(root).launch({ ...specOf(id), settings }, over);
    const machine = await readMachine(names);
    expect(machine).toMatchObject({ id, owner: 'me', gateway: `${net}.1` });
    // Nothing that makes a program of root's do something else.
    expect(Object.keys(machine?.settings ?? {}).toSorted()).toEqual(['AWS_ENDPOINT_URL', 'ECS_CLUSTER']);
    expect(statSync(join(root, id, 'machine.json')).mode & 0o777).toBe(0o600);
    const docker = (...words: string[]): string => shown('docker', '-H', `unix://${names.socket}`, ...words);
    const box = join(folder, 'box');
    mkdirSync(join(box, 'bin'), { recursive: true });
    execFileSync('cp', ['/usr/bin/busybox', join(box, 'bin')]);
    execFileSync('tar', ['-C', box, '-cf', `${box}.tar`, '.']);
    docker('import', `${box}.tar`, 'box');
    docker('run', '--detach', '--name', 'left', 'box', '/bin/busybox', 'sleep', nap);
    expect(traces(id, root)).toEqual(['folder', 'run', 'namespace', 'link', 'rules', 'processes']);
    // The server of this computer's loopback, by the same name.
    const asked = `fetch('http://127.0.0.1:${port}').then((answer) => answer.text()).then(console.log)`;
    const inside = [`--net=/run/netns/${names.namespace}`, '--', process.execPath, '-e', asked];
    expect((await shownLater('nsenter', inside)).stdout).toBe('from here\n');

    const [runner = 0] = await runners(names);
    // What an agent mounts, its engine finds, and nobody else.
    const pids = await vi.waitFor(() => {
      const found = residents(names.namespace).filter((pid) => /^(?:dockerd|sleep)$/.test(nameOf(pid)));
      expect(found).toHaveLength(2);
      return [...found, String(runner), 'self'];
    }, 60_000);
    const [engine, agent, main, own] = pids.map((pid) => readlinkSync(`/proc/${pid}/ns/mnt`));
    expect([agent, main, engine === own]).toEqual([engine, engine, false]);
    process.kill(runner, 'SIGKILL');
    await vi.waitFor(async () => expect(await runners(names)).toEqual([]), 60_000);
    const again = open(root);
    // The engine that is waited for is started by this process, which a program that it waits for would hold up.
    const asking = ['-H', `unix://${names.socket}`, 'ps', '--all', '--format', '{{.Names}} {{.State}}'];
    const patient = { timeout: 120_000, interval: 500 };
    await vi.waitFor(async () => {
      // As groups do: a start that fails is begun again.
      expect(await again.list('me', over)).toEqual([{ id, owner: 'me' }]);
      expect((await shownLater('docker', asking)).stdout).toBe('left exited\n');
    }, patient);
    expect(await readMachine(names)).toEqual(machine);
    expect(await runners(names)).toHaveLength(1);

    // Its processes are killed, and a container of its engine lives on with files and a network of its own.
    docker('start', 'left');
    const [next = 0] = await runners(names);
    process.kill(next, 'SIGKILL');
    for (const pid of residents(names.namespace)) killEngine(pid);
    expect(shown('ps', '-eo', 'args')).toContain(`sleep ${nap}`);
    await open(root).terminate(id, 'me', over);
    expect(traces(id, root)).toEqual([]);
    expect(shown('ps', '-eo', 'args')).not.toContain(`sleep ${nap}`);
    server.close();
  });

  test('makes no more machines than it may, and none whose addresses lead elsewhere', async () => {
    const root = join(folder, 'full');
    for (const last of [1, 2]) mkdirSync(join(root, `i-0000000000000000${last}`), { recursive: true });
    await expect(open(root).launch(specOf('i-00000000000000003'), over)).rejects.toThrow(
      /has 2 machines, and is to have 2 at most: say docker most=3/,
    );
    const options = { name: 'here', folder: join(folder, 'none'), most: 1, agent: ['true'], env, log };
    const elsewhere = dockerProvider({ ...options, range: parseCidr('127.3.0.0/24') ?? range });
    await expect(elsewhere.launch(specOf('i-00000000000000003'), over)).rejects.toThrow(
      /no machine can have an address/,
    );
    expect(existsSync(join(folder, 'none'))).toBe(false);
  });

  test('says by the words of its engine why a machine does not run, and once for all its tries to start it again', async () => {
    const root = join(folder, 'failing');
    const id = newId();
    made.push({ id, root });
    // In the place of the folder of its engine.
    mkdirSync(join(root, id), { recursive: true });
    execFileSync('touch', [join(root, id, 'engine')]);
    const provider = open(root);
    await expect(provider.launch(specOf(id), over)).rejects.toThrow(/does not run: .*engine/);
    const own = join(root, id, 'machine.log');
    const tries = (): number => readFileSync(own, 'utf8').match(/ machine: the engine ended with /g)?.length ?? 0;
    for (const least of [2, 3])
      await vi.waitFor(
        async () => {
          expect(await provider.list('me', over)).toEqual([{ id, owner: 'me' }]);
          expect(tries()).toBeGreaterThanOrEqual(least);
        },
        { timeout: 60_000, interval: 500 },
      );
    // After whatever is under way, and what came of it was told by then.
    await provider.terminate(id, 'me', over);
    const why = expect.objectContaining({ message: expect.stringMatching(/does not run: .*engine/) });
    const what = expect.stringMatching(/cannot be started again.* say what to correct$/);
    expect(warned.filter(([instance]) => instance === id)).toEqual([[id, why, what]]);
    expect(traces(id, root)).toEqual([]);
  });
});

/** What runs in the network of a machine. */
const residents = (namespace: string): string[] => shown('ip', 'netns', 'pids', namespace).trim().split('\n');

/** What the program of a process is called; '' when that has ended. */
function nameOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
}

/** Kills a process of an engine; some end with the one before. */
function killEngine(pid: string): void {
  try {
    if (/^(?:dockerd|containerd)/.test(nameOf(pid))) process.kill(Number(pid), 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

test('what lacks for machines is told with what to do', async () => {
  expect(await whatLacks('/usr/bin', 1000)).toMatch(/only root .* start the server as root/);
});

test('an id that is a path leads nowhere', async () => {
  await expect(open().terminate('../../etc', 'me', over)).rejects.toThrow(/is not the id of a machine/);
});

test('an engine takes over where images come from, and nothing else', async () => {
  const file = join(folder, 'daemon.json');
  const given = {
    'registry-mirrors': ['https://mirror'],
    'insecure-registries': ['a:1'],
    hosts: ['tcp://0.0.0.0'],
    bip: '10.0.0.1/24',
  };
  writeFileSync(file, JSON.stringify(given));
  const names = namesOf('/machines', 'i-00000000000000001');
  expect(await engineConfig(names, 'http://10.0.0.5:7500', file)).toEqual({
    'registry-mirrors': ['https://mirror'],
    'insecure-registries': ['a:1', '10.0.0.5:7500'],
    'data-root': '/machines/i-00000000000000001/engine',
    'exec-root': '/run/slipway-machines/i-00000000000000001/exec',
    pidfile: '/run/slipway-machines/i-00000000000000001/dockerd.pid',
    hosts: ['unix:///run/slipway-machines/i-00000000000000001/docker.sock'],
  });
  expect(await engineConfig(names, 'https://a.example', '/nowhere')).toMatchObject({ 'insecure-registries': [] });
});

test.each([
  ['http://127.0.0.1:7500', { host: '127.0.0.1', port: 7500 }],
  ['http://localhost:7500/', { host: '127.0.0.1', port: 7500 }],
  ['https://[::1]', { host: '::1', port: 443 }],
  ['http://10.0.0.5:7500', undefined],
  ['https://127.evil.example', undefined],
  [undefined, undefined],
])('%s is of this computer alone: %j', (endpoint, expected) => {
  expect(loopbackOf(endpoint)).toEqual(expected);
});
