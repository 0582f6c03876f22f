import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { checkStamp, type Format, stampOf } from './format.ts';

/** The stamp's name in a folder. */
export const stampFile = 'format.json';

/**
 * Checks the stamp of a folder of files before anything in it is read, and leaves one where there is none: in a new folder (made
 * with mode 0700), and in one from before there were stamps. The stamp is durable when this resolves.
 * @throws FormatRefused when the folder has a newer format, or is not what it should be
 */
export async function stampFolder(folder: string, format: Format): Promise<void> {
  if (await isStamped(folder, format)) return;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = join(folder, `${stampFile}.${randomUUID()}`);
  try {
    {
      await using file = await open(temporary, 'wx', 0o600);
      await file.writeFile(stampOf(format));
      await file.sync();
    }
    // Of several processes that start at once each writes the same.
    await rename(temporary, join(folder, stampFile));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await using names = await open(folder, 'r');
  await names.sync();
}

/**
 * Whether the folder has a stamp, which then is one that this version knows. Changes nothing.
 * @throws FormatRefused as `stampFolder` does
 */
export async function isStamped(folder: string, format: Format): Promise<boolean> {
  let found: string;
  try {
    found = await readFile(join(folder, stampFile), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  checkStamp(found, format, folder);
  return true;
}
