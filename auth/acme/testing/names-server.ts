import { createServer, type Server, type Socket } from 'node:net';

/**
 * A resolver that leads every name to this machine, but for those that do not exist. It speaks DNS over TCP (RFC 1035,
 * section 4.2.2), which is what the test authority asks by.
 */
export class NamesServer {
  readonly absent = new Set<string>();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket));
      let held = Buffer.alloc(0);
      socket.on('data', (chunk: Buffer) => {
        held = Buffer.concat([held, chunk]);
        while (held.length >= 2 && held.length >= 2 + held.readUInt16BE()) {
          const end = 2 + held.readUInt16BE();
          const answer = this.#answer(held.subarray(2, end));
          held = held.subarray(end);
          const length = Buffer.alloc(2);
          length.writeUInt16BE(answer.length);
          socket.write(Buffer.concat([length, answer]));
        }
      });
    });
  }

  static async start(): Promise<NamesServer> {
    const names = new NamesServer();
    await new Promise<void>((resolve) => names.#server.listen(0, '127.0.0.1', resolve));
    return names;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  #answer(query: Buffer): Buffer {
    const labels: string[] = [];
    let at = 12;
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length));
      at += 1 + length;
    }
    const type = query.readUInt16BE(at + 1);
    const exists = !this.absent.has(labels.join('.').toLowerCase());
    const found = exists && type === 1;
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    head.writeUInt16BE(0x8580 | (exists ? 0 : 3), 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(found ? 1 : 0, 6);
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
    return Buffer.concat([head, query.subarray(12, at + 5), ...(found ? [record] : [])]);
  }

  async dispose(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
