import type { Readable, Writable } from 'node:stream';

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

/** Writes an archive to where it is for as it is read, no faster than it is taken, and gives the memory of what was written back. */
export function pour(archive: Readable, to: Writable): void {
  archive.on('data', (bytes: Buffer) => {
    if (!to.write(bytes, () => giveBack(bytes))) archive.pause();
  });
  archive.on('end', () => to.end());
  to.on('drain', () => archive.resume());
}
