import { chmod, stat } from 'node:fs/promises';
import { type Format, FormatRefused, isStamped, stampFolder } from '@slipway/storage/format';
import { ConfigError } from './config.ts';

/** Raised when a file of the data folder changes in a way that an older server or command would misread. */
const format: Format = { holds: 'the files', version: 1 };

/**
 * Makes the data folder of a server, or checks that it is one that this version may use. It is closed to other users of the
 * machine: images, keys and audit lines lie in it.
 * @throws FormatRefused when a newer version wrote it, or it is something else's; ConfigError when it cannot be used
 */
export async function openDataFolder(path: string): Promise<void> {
  await usable(path, () => stampFolder(path, format));
  await close(path);
}

async function close(path: string): Promise<void> {
  const { mode, uid } = await stat(path);
  if ((mode & 0o077) === 0) return;
  if (uid === process.getuid?.()) return chmod(path, 0o700);
  // A folder that is another user's may be meant for a group of which this process is, as volumes of orchestrators are.
  if ((mode & 0o007) !== 0)
    throw new ConfigError(
      `SLIPWAY_DATA: every user of this machine may read ${path}, and it is not this user's: close it with chmod o-rwx ${path}`,
    );
}

/** The check alone, for commands: it makes nothing. @throws as `openDataFolder` does */
export async function checkDataFolder(path: string): Promise<void> {
  await usable(path, () => isStamped(path, format));
}

async function usable(path: string, look: () => Promise<unknown>): Promise<void> {
  try {
    await look();
  } catch (error) {
    if (error instanceof FormatRefused) throw error;
    throw new ConfigError(
      `SLIPWAY_DATA: cannot use ${path}: ${(error as Error).message}. Name a folder that this user may write to.`,
    );
  }
}
