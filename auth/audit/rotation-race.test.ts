import { mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { Audited, AuditFile, type AuditFacts } from './index.ts';

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return { ...real, mkdir: vi.fn(real.mkdir) };
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
