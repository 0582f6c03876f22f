import type { Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { StagedLost } from './blob-store.ts';

const copySize = 1024 * 1024;

/** Hashes the first `size` bytes of a file, handing each piece on as well. @throws StagedLost when the file is shorter */
export async function hashFile(
  file: FileHandle,
  size: number,
  hash: Hash,
  each?: (bytes: Uint8Array) => Promise<void>,
): Promise<Hash> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(copySize, Math.max(size, 1)));
  for (let position = 0; position < size;) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.byteLength, size - position), position);
    if (bytesRead === 0) throw new StagedLost(`the upload ends at byte ${position} of ${size}`);
    const bytes = buffer.subarray(0, bytesRead);
    hash.update(bytes);
    await each?.(bytes);
    position += bytesRead;
  }
  return hash;
}
