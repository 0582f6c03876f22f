import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';

const block = 512;

/** A layer of one small file that no other layer has: as a tar archive, and as it is stored. */
export function makeLayer(compressed: boolean): { readonly archive: Buffer; readonly stored: Buffer } {
  const text = Buffer.from(`made for a conformance check: ${randomUUID()}\n`);
  const file = Buffer.alloc(Math.ceil(text.length / block) * block);
  text.copy(file);
  // Two empty blocks end an archive.
  const archive = Buffer.concat([header('conformance.txt', text.length), file, Buffer.alloc(2 * block)]);
  return { archive, stored: compressed ? gzipSync(archive) : archive };
}

/** The header of a plain file, as POSIX.1-1988 (ustar) wants it. */
function header(name: string, size: number): Buffer {
  const bytes = Buffer.alloc(block);
  const octal = (value: number, at: number, digits: number): void => {
    bytes.write(`${value.toString(8).padStart(digits, '0')}\0`, at);
  };
  bytes.write(name, 0);
  octal(0o644, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(size, 124, 11);
  octal(0, 136, 11);
  bytes.write('        0', 148);
  bytes.write('ustar\x0000', 257);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return bytes;
}
