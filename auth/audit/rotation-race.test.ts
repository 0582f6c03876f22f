import { mkdtemp, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { Audited, AuditFile, type AuditFacts } from './index.ts';

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return { ...real, mkdir: vi.fn(real.mkdir), rename: vi.fn(real.rename) };
});

test('a file that another process put aside while we wanted to is no error, and no line is lost', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-audit-'));
  const path = join(folder, 'audit.log');
  const errors: unknown[] = [];
  const file = new AuditFile({ path, maxBytes: 100, onError: (error) => errors.push(error) });
  const facts: Partial<AuditFacts> = { userAgent: 'x'.repeat(80) };
  const write = (requestId: string): void =>
    file.write({ time: '', requestId, milliseconds: 1 }, new Audited(facts as AuditFacts));
  write('one');
  await file.flush();
  const { mkdir } = await import('node:fs/promises');
  const { mkdir: make } = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises');
  // The lock is ours just after somebody else gave it up, with the file put aside and no new one there.
  vi.mocked(mkdir).mockImplementationOnce(async (lock) => {
    await rename(path, `${path}.1`);
    await make(lock);
    return undefined;
  });
  write('two');
  await file.close();
  expect(errors).toEqual([]);
  expect((await readdir(folder)).sort()).toEqual(['audit.log', 'audit.log.1']);
  expect(await readFile(path, 'utf8')).toContain('"two"');
  expect(await readFile(`${path}.1`, 'utf8')).toContain('"one"');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await rm(folder, { recursive: true });
});

test('who stood still in the midst of putting files aside, and was taken for dead, puts none over another', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-audit-'));
  const path = join(folder, 'audit.log');
  const errors: unknown[] = [];
  const opened = (): AuditFile =>
    new AuditFile({ path, maxBytes: 100, keep: 20, onError: (error) => errors.push(error) });
  const [file, other] = [opened(), opened()];
  const facts: Partial<AuditFacts> = { userAgent: 'x'.repeat(80) };
  const ids: string[] = [];
  const write = (to: AuditFile): Promise<void> => {
    ids.push(`line-${ids.length}`);
    to.write({ time: '', requestId: ids.at(-1) ?? '', milliseconds: 1 }, new Audited(facts as AuditFacts));
    return to.flush();
  };
  for (let line = 0; line < 3; line++) await write(file);
  const { rename: put } = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises');
  let stood = false;
  vi.mocked(rename).mockImplementation(async (from, to) => {
    await put(from, to);
    if (stood || from !== `${path}.1`) return;
    stood = true;
    const before = new Date(Date.now() - 60_000);
    await utimes(`${path}.rotating`, before, before);
    // It clears the lock away, and then does all of it.
    for (let line = 0; line < 2; line++) await write(other);
  });
  await write(file);
  vi.mocked(rename).mockReset().mockImplementation(put);
  for (const each of [file, other]) {
    await write(each);
    await each.close();
  }
  expect([stood, errors]).toEqual([true, []]);
  const files = await readdir(folder);
  expect(files).not.toContain('audit.log.rotating');
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')));
  const lines = texts.flatMap((text) => text.trim().split('\n'));
  expect(lines.map((text) => (JSON.parse(text) as { requestId: string }).requestId).toSorted()).toEqual(ids);
  await rm(folder, { recursive: true });
});
