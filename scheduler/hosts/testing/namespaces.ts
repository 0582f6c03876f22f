import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll } from 'vitest';

/** The programs that change a host's network; the last one only where it is there. */
const programs = ['ip', 'bridge', 'nft', 'iptables', 'wg'] as const;

/** The process that holds the network namespace which plays this machine; 0 while it is the machine's own. */
let machine = 0;

/**
 * From here on this process changes, looks at and listens in a network namespace of its own instead of the machine's, so that tests
 * that run beside each other do not see each other's links, routes and rules. It lets through what a Docker engine lets through: nothing
 * is forwarded but what `DOCKER-USER` accepts. It goes with this process; call it where a test file begins.
 *
 * @returns why there can be none; undefined when there is one
 */
export async function ownMachine(): Promise<string | undefined> {
  if (machine !== 0) return undefined;
  if (process.getuid?.() !== 0) return 'network namespaces are made by root only';
  try {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-machine-'));
    afterAll(() => rmSync(folder, { recursive: true, force: true }));
    const pid = await holdNamespace(machines);
    const outside = readlinkSync('/proc/self/ns/net');
    for (const program of programs) {
      const path = execFileSync('sh', [
        '-c',
        `PATH="$PATH:/usr/sbin:/sbin" command -v ${program} || test ${program} = wg`,
      ])
        .toString()
        .trim();
      if (path === '') continue;
      // Who has entered another namespace, a task's, stays there.
      const sealed =
        program === 'ip'
          ? `case "$*" in "link add "*" type wireguard") exec ${play(folder, path)} "$3" ${pid};; esac\n`
          : '';
      const script = `#!/bin/sh\n${sealed}[ "$(readlink /proc/self/ns/net)" = '${outside}' ] || exec ${path} "$@"\nexec nsenter --net=/proc/${pid}/ns/net ${path} "$@"\n`;
      writeFileSync(join(folder, program), script);
      chmodSync(join(folder, program), 0o755);
    }
    const setUp = [
      'ip link set lo up',
      'echo 1 > /proc/sys/net/ipv4/ip_forward',
      'iptables -P FORWARD DROP',
      'iptables -N DOCKER-USER',
      'iptables -I FORWARD -j DOCKER-USER',
    ];
    execFileSync('nsenter', inside(pid, ['sh', '-ec', setUp.join('\n')]));
    process.env['PATH'] = `${folder}:${process.env['PATH'] ?? ''}`;
    machine = pid;
    return undefined;
  } catch (error) {
    return `no network namespace: ${(error as Error).message}`;
  }
}

/**
 * Adds a link of WireGuard in the namespace of a process; on a kernel that has none a program plays it, until the link or this process
 * is gone.
 */
export const addWireGuard = (name: string, pid: number): void => void execFileSync(player, [name, String(pid)]);

/** Waits until nothing plays a link that was deleted any more: its program notices that a little later. */
export const withoutWireGuard = (name: string): Promise<void> =>
  until(() => {
    try {
      execFileSync('wg', ['show', name], { stdio: 'ignore' });
      return false;
    } catch {
      return true;
    }
  });

/** The program that does that. */
let player = '';

function play(folder: string, ip: string): string {
  player = join(folder, 'wireguard');
  const within = 'nsenter --net=/proc/$2/ns/net';
  const script = [
    '#!/bin/sh',
    `${within} ${ip} link add "$1" type wireguard 2>/dev/null && exit 0`,
    `(${within} env WG_PROCESS_FOREGROUND=1 LOG_LEVEL=silent wireguard-go -f "$1" & p=$!`,
    `while kill -0 ${process.pid} 2>/dev/null && kill -0 $p 2>/dev/null; do sleep 1; done; kill $p) >/dev/null 2>&1 &`,
    'for i in $(seq 600); do wg show "$1" >/dev/null 2>&1 && exit 0; sleep 0.1; done',
    'exit 1',
  ];
  writeFileSync(player, `${script.join('\n')}\n`);
  chmodSync(player, 0o755);
  return player;
}

/** Those that hold what plays this machine. */
const machines: ChildProcess[] = [];

/** Processes that hold the network namespaces which play tasks, and the servers in them. */
export const children: ChildProcess[] = [];

/** A network namespace of its own; @returns the process that holds it */
export const namespace = (): Promise<number> => holdNamespace(children);

async function holdNamespace(holders: ChildProcess[]): Promise<number> {
  // It reads what never comes, until this process ends.
  const child = spawn('unshare', ['--net', 'cat'], { stdio: ['pipe', 'ignore', 'ignore'] });
  holders.push(child);
  const pid = child.pid ?? 0;
  const own = readlinkSync('/proc/self/ns/net');
  await until(() => readlinkSync(`/proc/${pid}/ns/net`) !== own);
  return pid;
}

/** Waits until something holds. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1_200; tries += 1) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('it did not come about');
}

/** The words of `nsenter` that run a program in the namespace of a process. */
export const inside = (pid: number, words: readonly string[]): readonly string[] => [
  `--net=/proc/${pid}/ns/net`,
  ...words,
];

/** A server in a task's namespace, or in the machine's own with 0, that answers every connection with its name. */
export async function serve(
  pid: number,
  port: number,
  name: string,
  protocol: 'tcp' | 'udp' = 'tcp',
  address = '0.0.0.0',
): Promise<void> {
  const program =
    protocol === 'tcp'
      ? `require('net').createServer((s) => s.on('error', () => {}).end('${name} sees ' + s.remoteAddress)).listen(${port}, '${address}', () => console.log('up'))`
      : `const s = require('dgram').createSocket('udp4'); s.on('message', (m, from) => s.send('${name}', from.port, from.address)); s.bind(${port}, '${address}', () => console.log('up'))`;
  const child = spawnIn(pid, program);
  children.push(child);
  await new Promise((resolve) => child.stdout.once('data', resolve));
}

function spawnIn(pid: number, program: string) {
  const within = pid === 0 ? machine : pid;
  const words = within === 0 ? ['-e', program] : inside(within, [process.execPath, '-e', program]);
  return spawn(within === 0 ? process.execPath : 'nsenter', words, { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** What a task gets from an address within a second; undefined when it gets nothing. */
export async function ask(
  pid: number,
  address: string,
  port: number,
  protocol: 'tcp' | 'udp' = 'tcp',
): Promise<string | undefined> {
  const program =
    protocol === 'tcp'
      ? `const s = require('net').connect(${port}, '${address}'); s.setTimeout(700, () => s.destroy()); s.on('data', (d) => process.stdout.write(d)); s.on('error', () => {})`
      : `const s = require('dgram').createSocket('udp4'); s.on('message', (m) => { process.stdout.write(m); s.close() }); s.send('?', ${port}, '${address}'); setTimeout(() => process.exit(), 700)`;
  const child = spawnIn(pid, program);
  let said = '';
  child.stdout.on('data', (chunk) => (said += String(chunk)));
  await new Promise((resolve) => child.once('close', resolve));
  return said === '' ? undefined : said;
}

/** The same, as soon as there is an answer: the first packets of a busy machine may take long. */
export async function reach(...asked: Parameters<typeof ask>): Promise<string | undefined> {
  let said: string | undefined;
  await until(async () => {
    said = await ask(...asked);
    return said !== undefined;
  });
  return said;
}

/** Ends all of them, with what runs in them. */
export function endNamespaces(): void {
  for (const child of children.splice(0)) child.kill('SIGKILL');
}

/** Makes sure that a network can give tasks addresses. @throws Error with why it cannot */
export async function ready(network: { reason(): Promise<string | undefined> }): Promise<void> {
  const reason = await network.reason();
  if (reason !== undefined) throw new Error(reason);
}
