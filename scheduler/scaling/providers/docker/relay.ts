import { type ChildProcess, spawn } from 'node:child_process';
import { connect, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

/** A port of loopback. */
export interface Loopback {
  readonly host: string;
  readonly port: number;
}

/** Connections of a machine at once. */
const mostConnections = 2048;

/** Where a server answers to this computer alone; undefined when it is reached by an address that others have the way to. @param endpoint its URL */
export function loopbackOf(endpoint: string | undefined): Loopback | undefined {
  if (endpoint === undefined || !URL.canParse(endpoint)) return undefined;
  const { hostname, port, protocol } = new URL(endpoint);
  const host = hostname.replaceAll(/^\[|\]$/g, '');
  if (host !== 'localhost' && host !== '::1' && !/^127\.\d+\.\d+\.\d+$/.test(host)) return undefined;
  return { host: host === 'localhost' ? '127.0.0.1' : host, port: Number(port) || (protocol === 'https:' ? 443 : 80) };
}

/**
 * Carries what connects to a port of a machine's own loopback to the same port of this computer's, so that a server that listens there alone has one name on both. The
 * socket is made by a process in the machine's network, and handed over: nothing else of either network is opened to the other.
 * @param within what a program is started with in the machine's network
 */
export async function relay(to: Loopback, within: readonly string[]): Promise<Server> {
  const [program = '', ...words] = within;
  const listen = [process.execPath, join(import.meta.dirname, 'listen.ts'), JSON.stringify(to)];
  const child = spawn(program, [...words, ...listen], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const server = await handedOver(child);
  server.maxConnections = mostConnections;
  server.on('connection', (socket: Socket) => {
    const onward = connect({ ...to, allowHalfOpen: true });
    socket.allowHalfOpen = true;
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
      one.pipe(other);
    }
  });
  return server;
}

function handedOver(child: ChildProcess): Promise<Server> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('message', (_said, handle) => resolve(handle as Server));
    child.once('exit', (code) => reject(new Error(`the way to the server could not be made: exit status ${code}`)));
  });
}
