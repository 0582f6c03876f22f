import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FormatRefused } from '@slipway/storage/format';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { ConfigError } from './config.ts';
import { checkDataFolder, openDataFolder } from './data-folder.ts';

const root = mkdtempSync(join(tmpdir(), 'slipway-data-folder-'));
let count = 0;
let folder: string;

beforeEach(() => {
  folder = join(root, String(++count), 'data');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('a new folder is made for its owner alone and stamped, and opens again', async () => {
  await openDataFolder(folder);
  await openDataFolder(folder);
  await checkDataFolder(folder);
  expect(readdirSync(folder)).toEqual(['format.json']);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test('a folder that was there, open to others, is closed to them', async () => {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o755);
  await openDataFolder(folder);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test.runIf(process.getuid?.() === 0)("another user's folder is used only if strangers cannot read it", async () => {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o775);
  chownSync(folder, 65_534, 0);
  await expect(openDataFolder(folder)).rejects.toThrow(`chmod o-rwx ${folder}`);
  chmodSync(folder, 0o770);
  await openDataFolder(folder);
  expect(statSync(folder).mode & 0o777).toBe(0o770);
});

test('a command looks without making anything', async () => {
  await checkDataFolder(folder);
  expect(existsSync(folder)).toBe(false);
});

test('what a newer version wrote is refused, by the server and by commands', async () => {
  await openDataFolder(folder);
  writeFileSync(join(folder, 'format.json'), '{"slipway":"the files","format":2}');
  for (const open of [openDataFolder, checkDataFolder]) {
    const refused = open(folder);
    await expect(refused).rejects.toThrow(FormatRefused);
    await expect(refused).rejects.toThrow(
      `${folder} has format 2, which a newer version of Slipway wrote; this version knows formats up to 1. Start the newer version again, or restore a copy from before the upgrade.`,
    );
  }
});

test("another store's folder is refused", async () => {
  await openDataFolder(folder);
  writeFileSync(join(folder, 'format.json'), '{"slipway":"blobs","format":1}');
  await expect(openDataFolder(folder)).rejects.toThrow('does not hold the files of Slipway');
});

test('a folder that cannot be used is named with its setting', async () => {
  writeFileSync(join(root, 'file'), '');
  const refused = openDataFolder(join(root, 'file', 'data'));
  await expect(refused).rejects.toThrow(ConfigError);
  await expect(refused).rejects.toThrow('SLIPWAY_DATA');
});
