import { type Format, FormatRefused, isStamped, stampFolder } from '@slipway/storage/format';
import { ConfigError } from './config.ts';

/** Raised when a file of the data folder changes in a way that an older server or command would misread. */
const format: Format = { holds: 'the files', version: 1 };

/**
 * Makes the data folder of a server, or checks that it is one that this version may use.
 * @throws FormatRefused when a newer version wrote it, or it is something else's; ConfigError when it cannot be used
 */
export function openDataFolder(path: string): Promise<void> {
  return usable(path, () => stampFolder(path, format));
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
