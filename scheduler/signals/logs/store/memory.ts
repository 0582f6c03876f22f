/** Small buffers share their memory with others. */
const unshared = 256 * 1024;

/** Lets go of the memory of a buffer that nobody else has, if it is one of its own, instead of when it is noticed that nobody has it. */
export function free(bytes: Buffer): void {
  if (bytes.buffer.byteLength >= unshared) letGo(bytes);
}

/** Lets go of memory that nobody else has. */
export function letGo({ buffer }: Buffer): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}
