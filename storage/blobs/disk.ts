import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BlobStoreError } from './blob-store.ts';

/** Puts a failed system call into the store's own words. */
export function diskError(error: unknown, doing: string): BlobStoreError {
  if (error instanceof BlobStoreError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new BlobStoreError(full ? 'full' : 'unavailable', `${doing} failed: ${message}`, { cause: error });
}

/**
 * A file's bytes did not reach the disk. The system reports that once and may forget the bytes: the next sync of the same file can
 * succeed with them lost. So the file must not be used again, whatever a second sync says.
 */
export class SyncFailed extends BlobStoreError {
  constructor(cause: unknown) {
    const { message } = cause as Error;
    super('unavailable', `the disk did not keep the bytes (${message}); send them again from the start`, { cause });
  }
}

/** @throws SyncFailed */
export async function syncFile(file: FileHandle, what: 'all' | 'data' = 'all'): Promise<void> {
  try {
    await (what === 'all' ? file.sync() : file.datasync());
  } catch (error) {
    throw new SyncFailed(error);
  }
}

/** A folder, to sync it. */
export function openFolder(folder: string): Promise<FileHandle> {
  return open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
}

/** Makes the names in a folder durable: the sync of a file does not cover its directory entry (fsync(2)). */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await openFolder(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes a folder and its missing parents, each of them durable, also when another process has just made it. */
export async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  const top = first === undefined ? dirname(folder) : dirname(first);
  for (let current = dirname(folder); ; current = dirname(current)) {
    await syncFolder(current);
    if (current === top || current === dirname(current)) return;
  }
}

/** Writes all chunks at a position, however many calls it takes: a full disk writes a part first and fails after that. */
export async function writeAll(file: FileHandle, chunks: readonly Uint8Array[], position: number): Promise<void> {
  let rest = chunks;
  let at = position;
  while (rest.length > 0) {
    const { bytesWritten } = await file.writev(rest as Uint8Array[], at);
    at += bytesWritten;
    rest = skip(rest, bytesWritten);
  }
}

function skip(chunks: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let left = bytes;
  let index = 0;
  while (index < chunks.length && left >= chunks[index]!.byteLength) left -= chunks[index++]!.byteLength;
  if (left === 0) return chunks.slice(index);
  return [chunks[index]!.subarray(left), ...chunks.slice(index + 1)];
}
