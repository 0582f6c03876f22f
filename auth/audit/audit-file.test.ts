import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AuditFile, type AuditLine } from './index.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-audit-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const line = (requestId: string): AuditLine => ({
  time: '2026-01-01T00:00:00.000Z',
  requestId,
  service: 'ecs',
  operation: 'ListClusters',
  principal: { type: 'user', arn: 'arn:aws:iam::000000000000:user/a', account: '000000000000' },
  via: 'sigv4',
  sourceIp: '127.0.0.1',
  userAgent: 'line\nbreak',
  decisions: [],
  status: 200,
  milliseconds: 1,
});

test('one line a request, readable by its owner only, appended to what was there', async () => {
  const path = join(folder, 'audit.log');
  for (const id of ['one', 'two']) {
    const file = new AuditFile({ path });
    file.write(line(id));
    await file.close();
  }
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  expect(lines.map((text) => (JSON.parse(text) as AuditLine).requestId)).toEqual(['one', 'two']);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('a full file is put aside and the oldest goes', async () => {
  const path = join(folder, 'audit.log');
  const file = new AuditFile({ path, maxBytes: 1000, keep: 2 });
  for (let i = 0; i < 20; i++) {
    file.write(line(`request-${i}`));
    await file.flush();
  }
  await file.close();
  expect((await readdir(folder)).sort()).toEqual(['audit.log', 'audit.log.1', 'audit.log.2']);
  for (const name of await readdir(folder)) expect((await stat(join(folder, name))).size).toBeLessThanOrEqual(1000);
  expect(await readFile(path, 'utf8')).toContain('request-19');
});

test('many lines at once all arrive, in order', async () => {
  const path = join(folder, 'audit.log');
  const file = new AuditFile({ path });
  for (let i = 0; i < 5000; i++) file.write(line(String(i)));
  await file.close();
  const ids = (await readFile(path, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((text) => (JSON.parse(text) as AuditLine).requestId);
  expect(ids).toEqual(Array.from({ length: 5000 }, (_, i) => String(i)));
});

test('a disk that refuses is reported, and requests go on', async () => {
  const errors: unknown[] = [];
  const file = new AuditFile({ path: join(folder, 'no', 'such', 'folder'), onError: (error) => errors.push(error) });
  file.write(line('lost'));
  await file.close();
  expect(errors).toHaveLength(1);
});
