import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, type CommandOptions, type CommandResult, run, until } from './command.ts';

/** One Docker host: an engine with images, containers and a network stack of its own. */
export interface TestHost {
  readonly name: string;
  /** Its address, by which this machine and the other hosts reach it. */
  readonly address: string;
  /** `DOCKER_HOST` of its engine; a path, so it works from everywhere on this machine. */
  readonly dockerHost: string;
  /** Runs a program within the host's network. Never throws for an exit code. */
  run(command: string, args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Starts a program within the host's network; what it prints goes to `log`. It ends with the hosts at the latest. */
  start(command: string, args: readonly string[], env: Readonly<Record<string, string>>, log: string): ChildProcess;
  /** Runs a shell command in a container of its engine. */
  exec(container: string, script: string): Promise<CommandResult>;
  /** Runs the docker command line on its engine; it must succeed. */
  docker(...args: readonly string[]): Promise<string>;
}

export interface TestHosts extends AsyncDisposable {
  readonly hosts: readonly TestHost[];
  /** This machine's address on the hosts' network. */
  readonly gateway: string;
}

/** Why hosts cannot be made here; undefined when they can. */
export function missingHosts(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces and Docker engines are made by root only';
  const absent = ['dockerd', 'docker', 'ip', 'nsenter', 'iptables'].find((program) => pathOf(program) === undefined);
  return absent === undefined ? undefined : `no ${absent}`;
}

const pathOf = (program: string): string | undefined =>
  [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin']
    .map((place) => join(place, program))
    .find((path) => existsSync(path));

/** Why hosts have no runtime `runsc` (gVisor); undefined when each has it. */
export const missingRunsc = (): string | undefined => (pathOf('runsc') === undefined ? 'no runsc' : undefined);

const prefix = 'slipway-hosts-';
const folderOf = (owner: number): string => join(tmpdir(), `${prefix}${owner}`);
const bridge = 'hosts';
/** Names of links have at most 15 characters. */
const linkOf = (owner: number): string => `sw${owner}`;
const namespaceOf = (owner: number, number: number): string => `swh${owner}-${number}`;
const longest = 180_000;

/**
 * Makes Docker hosts on one machine: each is a network namespace with an engine of its own (data root, exec root, pid file, socket),
 * joined to the others and to this machine by a bridge with addresses 198.18.x.1 (this machine), .2, .3, … Images are not pulled
 * from anywhere: `docker save` and `docker load` carry them, or a registry on the network does, which the engines take plain HTTP from.
 * What a killed test has left is removed by the next; one process can have one set of hosts at a time.
 * @param engine variables that the engines have
 * @throws Error with what an engine said, when one does not start; whatever was made until then is removed
 */
export async function startHosts(count: number, engine: Readonly<Record<string, string>> = {}): Promise<TestHosts> {
  for (const name of readdirSync(tmpdir())) {
    const owner = Number(name.startsWith(prefix) ? name.slice(prefix.length) : NaN);
    if (Number.isInteger(owner) && !existsSync(`/proc/${owner}`)) await removeHosts(owner);
  }
  const owner = process.pid;
  await using opened = new AsyncDisposableStack();
  mkdirSync(folderOf(owner));
  opened.defer(() => removeHosts(owner));
  const net = await freeNet();
  // In a namespace of its own: the packet filter of this machine, which its own Docker engine sets to drop, would see what passes.
  const hub = namespaceOf(owner, 0);
  await check('ip', ['netns', 'add', hub]);
  await check('ip', ['-n', hub, 'link', 'add', bridge, 'type', 'bridge']);
  await check('ip', ['-n', hub, 'link', 'set', bridge, 'up']);
  const own = linkOf(owner);
  await plug(owner, own);
  await check('ip', ['addr', 'add', `${net}.1/24`, 'dev', own]);
  await check('ip', ['link', 'set', own, 'up']);
  const hosts = await Promise.all(
    Array.from({ length: count }, (_, number) => startHost(owner, number + 1, `${net}.${number + 2}`, net, engine)),
  );
  const closing = opened.move();
  return { hosts, gateway: `${net}.1`, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}

/** Makes a link of this machine's network whose other end is in the bridge. */
async function plug(owner: number, name: string): Promise<void> {
  const hub = namespaceOf(owner, 0);
  const port = `${name}p`;
  await check('ip', ['link', 'add', name, 'type', 'veth', 'peer', 'name', port, 'netns', hub]);
  await check('ip', ['-n', hub, 'link', 'set', port, 'master', bridge, 'up']);
}

/** A network out of 198.18.0.0/16, which is for tests of networks (RFC 2544), that this machine has no route into. */
async function freeNet(): Promise<string> {
  const routes = await check('ip', ['-4', 'route', 'show', 'table', 'all']);
  for (let i = 0; i < 250; i++) {
    const net = `198.18.${(process.pid + i) % 250}`;
    if (!routes.includes(`${net}.`)) return net;
  }
  throw new Error('every network of 198.18.0.0/16 is in use');
}

async function startHost(
  owner: number,
  number: number,
  address: string,
  net: string,
  engine: Readonly<Record<string, string>>,
): Promise<TestHost> {
  const namespace = namespaceOf(owner, number);
  const folder = join(folderOf(owner), String(number));
  const link = `${linkOf(owner)}-${number}`;
  mkdirSync(folder);
  await check('ip', ['netns', 'add', namespace]);
  await plug(owner, link);
  await check('ip', ['link', 'set', link, 'netns', namespace, 'name', 'eth0']);
  const within = (command: string, args: readonly string[]): [string, string[]] => [
    'nsenter',
    [`--net=/run/netns/${namespace}`, '--', command, ...args],
  ];
  const ip = async (...args: string[]): Promise<string> => check(...within('ip', args));
  await ip('addr', 'add', `${address}/24`, 'dev', 'eth0');
  await ip('link', 'set', 'lo', 'up');
  await ip('link', 'set', 'eth0', 'up');
  await ip('route', 'add', 'default', 'via', `${net}.1`);
  const socket = join(folder, 'docker.sock');
  const dockerHost = `unix://${socket}`;
  const start: TestHost['start'] = (command, args, env, log) => {
    const file = openSync(log, 'a');
    const child = spawn(...within(command, args), { env: { ...process.env, ...env }, stdio: ['ignore', file, file] });
    closeSync(file);
    return child;
  };
  const log = join(folder, 'dockerd.log');
  const runsc = { path: pathOf('runsc'), runtimeArgs: ['--network=host'] };
  const settings = join(folder, 'daemon.json');
  writeFileSync(settings, JSON.stringify(runsc.path === undefined ? {} : { runtimes: { runsc } }));
  const daemon = start(
    'dockerd',
    [
      '--data-root',
      join(folder, 'data'),
      '--exec-root',
      join(folder, 'exec'),
      '--pidfile',
      pidFile(folder),
      '--host',
      dockerHost,
      '--insecure-registry',
      '198.18.0.0/16',
      '--config-file',
      settings,
    ],
    { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, ...engine },
    log,
  );
  const docker: TestHost['docker'] = async (...args) =>
    (await check('docker', ['--host', dockerHost, ...args], { env: { DOCKER_CONFIG: folder } })).trim();
  await until(`the engine of ${namespace}`, longest, async () => {
    if (daemon.exitCode !== null) return 'ended';
    return existsSync(socket) && (await docker('version'));
  }).then(
    (answer) => {
      if (answer === 'ended') throw new Error(`no engine in ${namespace}:\n${readFileSync(log, 'utf8').slice(-3000)}`);
    },
    (cause: unknown) => {
      throw new Error(`no engine in ${namespace}:\n${readFileSync(log, 'utf8').slice(-3000)}`, { cause });
    },
  );
  return {
    name: namespace,
    address,
    dockerHost,
    run: (command, args, options) => run(...within(command, args), options),
    exec: (container, script) =>
      run(...within('docker', ['-H', dockerHost, 'exec', container, '/bin/sh', '-c', script])),
    start,
    docker,
  };
}

const pidFile = (folder: string): string => join(folder, 'dockerd.pid');

/** Removes whatever there is of one process' hosts; each step goes on without the one before. */
async function removeHosts(owner: number): Promise<void> {
  const attempt = async (command: string, ...args: string[]): Promise<string> =>
    (await run(command, args, { timeout: longest })).stdout;
  const folder = folderOf(owner);
  const namespaces = (await attempt('ip', 'netns', 'list'))
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => name.startsWith(`swh${owner}-`));
  for (const number of readdirSync(folder)) {
    const at = join(folder, number);
    const host = ['--host', `unix://${join(at, 'docker.sock')}`];
    const containers = (await attempt('docker', ...host, 'ps', '-aq')).split('\n').filter((id) => id !== '');
    if (containers.length > 0) await attempt('docker', ...host, 'rm', '-f', '-v', ...containers);
    await endEngine(pidFile(at));
  }
  // Programs that a test started in there, and shims whose engine is gone.
  for (const namespace of namespaces) {
    for (const pid of (await attempt('ip', 'netns', 'pids', namespace)).split('\n'))
      if (Number(pid) > 1) endProcess(Number(pid), 'SIGKILL');
    await attempt('ip', 'netns', 'del', namespace);
  }
  await attempt('ip', 'link', 'del', linkOf(owner));
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${folder}/`));
  for (const path of mounts.toReversed()) await attempt('umount', '-l', path);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

/** Ends an engine by the id that it has written itself, and waits for it. */
async function endEngine(file: string): Promise<void> {
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  if (pid <= 1 || !isDockerd(pid)) return;
  endProcess(pid, 'SIGTERM');
  await until('the engine to end', 180_000, async () => !isDockerd(pid)).catch(() => endProcess(pid, 'SIGKILL'));
}

const isDockerd = (pid: number): boolean => {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('dockerd');
  } catch {
    return false;
  }
};

function endProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone already.
  }
}
