/** Bytes of memory that were given back already, by the memory that they are part of. */
const given = new WeakMap<ArrayBuffer, number>();

/**
 * Gives the memory of a piece back that nobody reads any more, with that of the others that came in one. Left to the collector, the pieces of an
 * archive gather until it goes through the whole heap for them, every 64 MiB.
 * @param piece each byte once
 */
export function giveBack({ buffer, byteLength }: Buffer): void {
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength === 0) return;
  const bytes = (given.get(buffer) ?? 0) + byteLength;
  if (bytes < buffer.byteLength) given.set(buffer, bytes);
  else buffer.transfer(0);
}
