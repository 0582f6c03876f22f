import { hkdfSync, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** The key file cannot be used; the message says why and what to do. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError';
}

/**
 * Reads the 32-byte key that encrypts secrets at rest, making the file (mode 0600) when there is none. It lies apart from the
 * records that it protects. Of several servers that start at once on a shared folder, one makes it and all read the same.
 * @throws KeyFileError when the file cannot be read or written, or does not hold a key
 */
export function openKeyFile(path: string): Buffer {
  try {
    return read(path) ?? create(path);
  } catch (error) {
    if (error instanceof KeyFileError) throw error;
    throw new KeyFileError(`cannot use the key file ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function read(path: string): Buffer | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length !== 32)
    throw new KeyFileError(
      `${path} does not hold a key of 32 bytes in base64; restore it from your backup (secrets at rest cannot be read without it)`,
    );
  return key;
}

function create(path: string): Buffer {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}`;
  const file = openSync(temporary, 'wx', 0o600);
  try {
    writeSync(file, `${randomBytes(32).toString('base64')}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    // A link, unlike a rename, fails when another server was first.
    linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
  const folder = openSync(dirname(path), 'r');
  fsyncSync(folder);
  closeSync(folder);
  const key = read(path);
  if (!key) throw new KeyFileError(`${path} vanished while it was being made`);
  return key;
}

/** A key for one use, derived from the one in the key file (HKDF, RFC 5869). */
export function subkey(master: Buffer, use: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', master, '', `slipway/${use}`, 32));
}

/** The key of secrets at rest: access keys, token signing keys. */
export const identityKey = (master: Buffer): Uint8Array => subkey(master, 'identity');
