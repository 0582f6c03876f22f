import { partSize } from './s3-state.ts';

/** Buffers for parts, shared by all uploads of a store; who finds none waits, and so does the client that is sending. */
export class PartBuffers {
  readonly #free: Buffer[] = [];
  #left: number;
  readonly #waiting: ((buffer: Buffer) => void)[] = [];

  constructor(count: number) {
    this.#left = count;
  }

  /** A buffer at once, or undefined. */
  borrowNow(): Buffer | undefined {
    const buffer = this.#free.pop();
    if (buffer !== undefined) return buffer;
    if (this.#left === 0) return undefined;
    this.#left--;
    return Buffer.allocUnsafeSlow(partSize(Infinity));
  }

  borrow(): Promise<Buffer> {
    const buffer = this.borrowNow();
    return buffer === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(buffer);
  }

  giveBack(buffer: Buffer): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(buffer);
    else next(buffer);
  }
}

/** Cuts a stream of bytes into parts of the size that S3 wants, sending one while the next is filled where buffers allow. */
export class PartWriter {
  readonly #buffers: PartBuffers;
  readonly #send: (part: number, bytes: Uint8Array) => Promise<void>;
  #part: number;
  #filled = 0;
  #buffer: Buffer | undefined;
  #sending: Promise<void> = Promise.resolve();

  /** @param part the number of the part to begin with */
  constructor(buffers: PartBuffers, part: number, send: (part: number, bytes: Uint8Array) => Promise<void>) {
    this.#buffers = buffers;
    this.#part = part;
    this.#send = send;
  }

  async write(chunk: Uint8Array): Promise<void> {
    let rest = chunk;
    while (rest.byteLength > 0) {
      this.#buffer ??= await this.#take();
      const room = partSize(this.#part) - this.#filled;
      const piece = rest.subarray(0, room);
      this.#buffer.set(piece, this.#filled);
      this.#filled += piece.byteLength;
      rest = rest.subarray(piece.byteLength);
      if (this.#filled === partSize(this.#part)) await this.#sendFull();
    }
  }

  /** Waits for the parts under way. The result is what did not fill a part; it is valid until `dispose`. */
  async finish(): Promise<Uint8Array> {
    await this.#sending;
    return this.#buffer?.subarray(0, this.#filled) ?? new Uint8Array();
  }

  async dispose(): Promise<void> {
    await this.#sending.catch(() => {});
    if (this.#buffer !== undefined) this.#buffers.giveBack(this.#buffer);
    this.#buffer = undefined;
  }

  /** Without a second buffer at hand the part under way is waited for: no upload holds one buffer and waits for another. */
  async #take(): Promise<Buffer> {
    const now = this.#buffers.borrowNow();
    if (now !== undefined) return now;
    await this.#sending;
    return this.#buffers.borrow();
  }

  async #sendFull(): Promise<void> {
    const [part, buffer, size] = [this.#part, this.#buffer!, this.#filled];
    this.#buffer = undefined;
    this.#filled = 0;
    this.#part++;
    const before = this.#sending;
    this.#sending = before
      .then(() => this.#send(part, buffer.subarray(0, size)))
      .finally(() => this.#buffers.giveBack(buffer));
    // Looked at by the next part or by finish.
    this.#sending.catch(() => {});
    await before;
  }
}
