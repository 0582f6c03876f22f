import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

import { BoundedLog } from './bounded-log.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-bounded-log-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a log that cannot be written costs its lines, and not what writes them', () => {
  const path = join(folder, 'later', 'machine.log');
  const log = new BoundedLog(path);
  expect(() => log.write('lost\n')).not.toThrow();
  mkdirSync(join(folder, 'later'));
  log.write('kept\n');
  expect(readFileSync(path, 'utf8')).toBe('kept\n');
});

test('a log takes so much of the disk and no more', () => {
  const path = join(folder, 'machine.log');
  const log = new BoundedLog(path);
  const part = Buffer.alloc(2 ** 20, 'x');
  for (let count = 0; count < 20; count++) log.write(part);
  const sizes = [path, `${path}.1`].map((file) => readFileSync(file).length);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(9 * 2 ** 20);
});
