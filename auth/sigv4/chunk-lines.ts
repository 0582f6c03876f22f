import { SignatureError } from './errors.ts';

/** Characters of a line: a size with a signature, or a trailing header. */
const longestLine = 1024;

/** A body of lines and counted bytes, taken as it comes: nothing is held but what one read of the socket gave, and a line. */
export class ChunkLines {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#source = body[Symbol.asyncIterator]();
  }

  /** The next line without its end. @throws SignatureError when it is too long, or the body ends before it does */
  async line(): Promise<string> {
    let text = '';
    for (;;) {
      const at = this.#rest.indexOf(10);
      text += Buffer.from(at === -1 ? this.#rest : this.#rest.subarray(0, at)).toString('latin1', 0, longestLine + 2);
      if (text.length > longestLine) throw broken('a line is too long');
      if (at !== -1) {
        this.#rest = this.#rest.subarray(at + 1);
        if (!text.endsWith('\r')) throw broken('a line does not end in CR LF');
        return text.slice(0, -1);
      }
      await this.#more();
    }
  }

  /** The next so many bytes. @throws SignatureError when the body ends before */
  async *bytes(count: number): AsyncGenerator<Uint8Array> {
    for (let left = count; left > 0;) {
      if (this.#rest.byteLength === 0) await this.#more();
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.byteLength);
      left -= piece.byteLength;
      if (piece.byteLength > 0) yield piece;
    }
  }

  /** @throws SignatureError when there is more */
  async end(): Promise<void> {
    if (this.#rest.byteLength > 0 || (await this.#source.next()).done !== true)
      throw broken('there is something behind its end');
  }

  /** Lets go of the body, however much of it is left. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async #more(): Promise<void> {
    const step = await this.#source.next();
    if (step.done === true) throw broken('it ends too early');
    this.#rest = step.value;
  }
}

const broken = (detail: string): SignatureError =>
  new SignatureError('malformed-body', `The aws-chunked body is not well-formed: ${detail}.`);
