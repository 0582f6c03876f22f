import { ScannerFailed } from './scanner.ts';

/** Levels and values of an answer; ten thousand findings have four hundred thousand values. */
const most = { depth: 32, values: 1_000_000 };

const quote = 0x22;
const backslash = 0x5c;

/**
 * Collects an answer that somebody else wrote, and refuses it as soon as it is too long, too deep or has too many parts:
 * a small text can stand for gigabytes of objects. Whether it is JSON at all is found out when it is read.
 */
export class BoundedJson {
  readonly #what: string;
  readonly #bytes: number;
  readonly #chunks: Uint8Array[] = [];
  #length = 0;
  #depth = 0;
  #values = 0;
  #inString = false;
  #escaped = false;

  /** @param what whose answer, as the message begins @param bytes the most */
  constructor(what: string, bytes: number) {
    this.#what = what;
    this.#bytes = bytes;
  }

  /** @throws ScannerFailed */
  take(chunk: Uint8Array): void {
    this.#length += chunk.length;
    if (this.#length > this.#bytes) throw new ScannerFailed(`${this.#what} is larger than ${this.#bytes} bytes.`);
    this.#look(chunk);
    this.#chunks.push(chunk);
  }

  /** @throws ScannerFailed when it is not JSON */
  read(): unknown {
    try {
      return JSON.parse(Buffer.concat(this.#chunks).toString());
    } catch (cause) {
      throw new ScannerFailed(`${this.#what} is not JSON.`, { cause });
    }
  }

  #look(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === backslash) this.#escaped = true;
        else if (byte === quote) this.#inString = false;
        continue;
      }
      switch (byte) {
        case quote:
          this.#inString = true;
          break;
        case 0x5b: // [
        case 0x7b: // {
          this.#values++;
          if (++this.#depth > most.depth)
            throw new ScannerFailed(`${this.#what} is nested more than ${most.depth} levels deep.`);
          break;
        case 0x5d: // ]
        case 0x7d: // }
          this.#depth--;
          break;
        case 0x2c: // ,
          if (++this.#values > most.values)
            throw new ScannerFailed(`${this.#what} has more than ${most.values} values.`);
          break;
      }
    }
  }
}
