import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  Audited,
  AuditFile,
  AuditFiles,
  type AuditFacts,
  type AuditLine,
  type AuditMoment,
  onlyAsked,
} from './index.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-audit-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const facts: AuditFacts = {
  service: 'ecs',
  operation: 'ListClusters',
  principal: { type: 'user', arn: 'arn:aws:iam::000000000000:user/a', account: '000000000000' },
  via: 'sigv4',
  sourceIp: '127.0.0.1',
  userAgent: 'line\nbreak',
  decisions: [],
  status: 200,
};
const moment = (requestId: string): AuditMoment => ({ time: '2026-01-01T00:00:00.000Z', requestId, milliseconds: 1 });
const line = (requestId: string): AuditLine => ({ ...moment(requestId), ...facts });
const written = (requestId: string, change: Partial<AuditFacts> = {}): [AuditMoment, Audited] => [
  moment(requestId),
  new Audited({ ...facts, ...change }),
];

test('one line a request, readable by its owner only, appended to what was there', async () => {
  const path = join(folder, 'audit.log');
  for (const id of ['one', 'two']) {
    const file = new AuditFile({ path });
    file.write(...written(id));
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
    file.write(...written(`request-${i}`));
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
  for (let i = 0; i < 5000; i++) file.write(...written(String(i)));
  await file.close();
  const ids = (await readFile(path, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((text) => (JSON.parse(text) as AuditLine).requestId);
  expect(ids).toEqual(Array.from({ length: 5000 }, (_, i) => String(i)));
});

test('facts that many lines share are told in each, and long lines and those of many bytes come whole', async () => {
  const path = join(folder, 'audit.log');
  const file = new AuditFile({ path });
  const shared = new Audited({ ...facts, operation: 'shared' });
  const long = [100_000, 300_000, 87_381, 1].map((length) => ({ userAgent: '€'.repeat(length) }));
  for (const [index, change] of long.entries()) {
    file.write(moment(`before-${index}`), shared);
    file.write(...written(`long-${index}`, change));
  }
  await file.close();
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  const expected = long.flatMap((change, index) => [
    { ...line(`before-${index}`), operation: 'shared' },
    { ...line(`long-${index}`), ...change },
  ]);
  expect(lines.map((text) => JSON.parse(text) as object)).toEqual(expected);
});

test('what a disk that does not keep up would have to hold in memory is bounded, and what did not fit is counted', async () => {
  const path = join(folder, 'audit.log');
  const file = new AuditFile({ path });
  const shared = new Audited({ ...facts, userAgent: 'x'.repeat(200_000) });
  // All in one turn of the event loop, in which nothing can be written.
  for (let i = 0; i < 200; i++) file.write(moment(String(i)), shared);
  await file.flush();
  file.write(...written('later'));
  await file.close();
  const texts = (await readdir(folder))
    .toSorted()
    .toReversed()
    .map((name) => readFile(join(folder, name), 'utf8'));
  const lines = (await Promise.all(texts)).join('').trimEnd().split('\n');
  const read = lines.map((text) => JSON.parse(text) as { readonly requestId?: string; readonly dropped?: number });
  const kept = read.filter(({ requestId }) => requestId !== undefined);
  const dropped = read.reduce((sum, one) => sum + (one.dropped ?? 0), 0);
  expect(kept.length + dropped).toBe(201);
  expect(kept.map(({ requestId }) => requestId)).toEqual([
    ...Array.from({ length: kept.length - 1 }, (_, i) => String(i)),
    'later',
  ]);
  // 32 MiB of them.
  expect(kept.length).toBeGreaterThan(100);
  expect(kept.length).toBeLessThan(170);
});

test('a disk that refuses is reported, and requests go on', async () => {
  const errors: unknown[] = [];
  const file = new AuditFile({ path: join(folder, 'no', 'such', 'folder'), onError: (error) => errors.push(error) });
  file.write(...written('lost'));
  await file.close();
  expect(errors).toHaveLength(1);
});

test('lines that a full disk refused are counted in the file once it takes lines again', async () => {
  const path = join(folder, 'audit.log');
  const errors: unknown[] = [];
  await symlink('/dev/full', path);
  const file = new AuditFile({ path, onError: (error) => errors.push(error) });
  for (const id of ['lost', 'lost too']) file.write(...written(id));
  await file.flush();
  expect(errors).toEqual([expect.objectContaining({ code: 'ENOSPC' })]);
  await rm(path);
  file.write(...written('kept'));
  await file.close();
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  expect(lines.map((text) => JSON.parse(text) as object)).toEqual([line('kept'), { dropped: 2 }]);
});

test('a file that something else has put aside is not written to any more', async () => {
  const path = join(folder, 'audit.log');
  const file = new AuditFile({ path });
  file.write(...written('one'));
  await file.flush();
  await rename(path, `${path}.aside`);
  file.write(...written('two'));
  await file.close();
  expect(await readFile(path, 'utf8')).toContain('"two"');
  expect(await readFile(`${path}.aside`, 'utf8')).not.toContain('"two"');
});

test('many processes write to one file, which is put aside again and again, and no line is lost, torn or written twice', async () => {
  const path = join(folder, 'audit.log');
  const names = ['a', 'b', 'c', 'd'];
  const count = 2000;
  const maxBytes = 50_000;
  const writer = join(import.meta.dirname, 'testing', 'write-lines.ts');
  const codes = names.map(async (name) => {
    const child = fork(writer, [path, name, String(count), String(maxBytes)]);
    const [code] = (await once(child, 'exit')) as [number];
    return code;
  });
  expect(await Promise.all(codes)).toEqual(names.map(() => 0));
  const seen: string[] = [];
  const sizes: number[] = [];
  const files = await readdir(folder);
  for (const name of files) {
    const text = await readFile(join(folder, name), 'utf8');
    for (const each of text.trimEnd().split('\n')) seen.push((JSON.parse(each) as AuditLine).requestId);
    sizes.push(text.length);
  }
  // While one process puts a file aside the others go on writing to it, here until it is twice as long as it may be.
  expect(Math.max(...sizes)).toBeLessThan(3 * maxBytes);
  expect(files.length).toBeGreaterThan(8);
  expect(files).not.toContain('audit.log.rotating');
  expect(seen.length).toBe(names.length * count);
  expect(new Set(seen).size).toBe(names.length * count);
});

test.each([
  ['before', -60_000],
  ['before the clock was put back', 3_600_000],
])('a process that died while it put the file aside, %s, keeps nobody from doing so', async (_when, from) => {
  const path = join(folder, 'audit.log');
  await mkdir(`${path}.rotating`);
  const file = new AuditFile({ path, maxBytes: 1000, keep: 2 });
  const fill = async (id: string): Promise<void> => {
    for (let i = 0; i < 5; i++) {
      file.write(...written(id));
      await file.flush();
    }
  };
  await fill('meanwhile');
  expect((await readdir(folder)).sort()).toEqual(['audit.log', 'audit.log.rotating']);
  const used = new Date(Date.now() + from);
  await utimes(`${path}.rotating`, used, used);
  await fill('later');
  await file.close();
  expect((await readdir(folder)).sort()).toEqual(['audit.log', 'audit.log.1', 'audit.log.2']);
});

test('what strangers do puts no line of known callers aside, however much it is', async () => {
  const files = new AuditFiles({ folder, onError: () => undefined });
  files.write(...written('known'));
  const stranger = { userAgent: 'x'.repeat(60_000), principal: { type: 'anonymous', arn: '*', account: '' } };
  for (let i = 0; i < 2000; i++) {
    files.write(...written('stranger', stranger));
    if (i % 100 === 0) await files.flush();
  }
  await files.close();
  const names = await readdir(folder);
  expect(names.sort()).toEqual([
    'anonymous.jsonl',
    'anonymous.jsonl.1',
    'anonymous.jsonl.2',
    'anonymous.jsonl.3',
    'audit.jsonl',
  ]);
  expect(await readFile(join(folder, 'audit.jsonl'), 'utf8')).toBe(`${JSON.stringify(line('known'))}\n`);
});

test('what open pages read puts no line aside of what people do, by a browser or otherwise', async () => {
  const files = new AuditFiles({ folder, onError: () => undefined });
  const browser = { via: 'browser' } as const;
  for (const [id, change] of [
    ['describe', { ...browser, operation: 'DescribeServices' }],
    ['metrics', { ...browser, operation: 'GetMetricData' }],
    ['policy', { ...browser, operation: 'GetLifecyclePolicy' }],
    ['manifests', { ...browser, operation: 'BatchGetImage' }],
    ['webhooks', { ...browser, operation: 'GET webhooks of a service' }],
    ['asked', { ...browser, operation: 'DeleteService', detail: onlyAsked, error: 'AccessDeniedException' }],
    ['change', { ...browser, operation: 'DeleteService' }],
    ['secret', { ...browser, operation: 'GetSecretValue' }],
    ['session', { ...browser, operation: 'POST session' }],
    ['signed', { operation: 'DescribeServices' }],
    ['pull', { operation: 'BatchGetImage' }],
    ['stranger', { ...browser, principal: { type: 'anonymous', arn: '*', account: '' } }],
  ] as const)
    files.write(...written(id, change));
  await files.close();
  const idsOf = async (name: string): Promise<string[]> =>
    (await readFile(join(folder, name), 'utf8'))
      .trim()
      .split('\n')
      .map((one) => (JSON.parse(one) as AuditLine).requestId);
  expect(await idsOf('pages.jsonl')).toEqual(['describe', 'metrics', 'policy', 'manifests', 'webhooks', 'asked']);
  expect(await idsOf('audit.jsonl')).toEqual(['change', 'secret', 'session', 'signed', 'pull']);
  expect(await idsOf('anonymous.jsonl')).toEqual(['stranger']);
});
