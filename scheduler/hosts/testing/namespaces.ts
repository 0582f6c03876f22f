import { type ChildProcess, execFileSync, spawn } from 'node:child_process';

/** Processes that hold the network namespaces which play tasks, and the servers in them. */
export const children: ChildProcess[] = [];

/** A network namespace of its own; @returns the process that holds it */
export async function namespace(): Promise<number> {
  const child = spawn('unshare', ['--net', 'sleep', '600'], { stdio: 'ignore' });
  children.push(child);
  const pid = child.pid ?? 0;
  const own = execFileSync('readlink', ['/proc/self/ns/net']).toString();
  await until(() => execFileSync('readlink', [`/proc/${pid}/ns/net`]).toString() !== own);
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
  const words = pid === 0 ? ['-e', program] : inside(pid, [process.execPath, '-e', program]);
  const child = spawn(pid === 0 ? process.execPath : 'nsenter', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await new Promise((resolve) => child.stdout.once('data', resolve));
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
  const words = pid === 0 ? ['-e', program] : inside(pid, [process.execPath, '-e', program]);
  const child = spawn(pid === 0 ? process.execPath : 'nsenter', words, { stdio: ['ignore', 'pipe', 'inherit'] });
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
