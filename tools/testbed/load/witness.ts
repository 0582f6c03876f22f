import { type AddressInfo, createServer, type Socket } from 'node:net';
import { once } from 'node:events';

/** How often a request was executed, and by which services. */
export interface Executions {
  count: number;
  readonly services: Set<string>;
}

/** Hears from targets, over connections of their own, which requests they execute: also from those that die the moment after. */
export interface Witness extends AsyncDisposable {
  /** What targets are started with: `HOST:PORT`. */
  readonly place: string;
  /** By request id. */
  readonly executions: ReadonlyMap<string, Executions>;
}

/** @param address of this host, where targets reach it */
export async function startWitness(address = '127.0.0.1'): Promise<Witness> {
  const executions = new Map<string, Executions>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setEncoding('latin1');
    let rest = '';
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const [service = '', id = ''] = line.split(' ');
        const known = executions.get(id) ?? { count: 0, services: new Set() };
        known.count++;
        known.services.add(service);
        executions.set(id, known);
      }
    });
  });
  server.listen(0, address);
  await once(server, 'listening');
  return {
    place: `${address}:${(server.address() as AddressInfo).port}`,
    executions,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
