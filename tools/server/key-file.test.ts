import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { KeyFileError, openKeyFile } from './key-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-key-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the first start makes a key for its owner only, later starts read the same', () => {
  const path = join(folder, 'keys', 'master.key');
  const key = openKeyFile(path);
  expect(key).toHaveLength(32);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(openKeyFile(path).equals(key)).toBe(true);
});

test('a damaged key file is refused, not replaced', () => {
  const path = join(folder, 'damaged.key');
  writeFileSync(path, 'short');
  expect(() => openKeyFile(path)).toThrow(KeyFileError);
  expect(() => openKeyFile(path)).toThrow(/backup/);
});

test('a folder that cannot be made is named', () => {
  expect(() => openKeyFile('/dev/null/keys/master.key')).toThrow(/\/dev\/null\/keys\/master\.key/);
});
