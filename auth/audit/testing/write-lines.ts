import { stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { AuditFile } from '../audit-file.ts';
import { Audited, type AuditFacts } from '../audit-line.ts';

/** A process that writes `count` lines to the file `path`, with its own name in their ids. */
const [path = '', name = '', count = '0', maxBytes = '0'] = process.argv.slice(2);
const file = new AuditFile({
  path,
  maxBytes: Number(maxBytes),
  keep: 60,
  onError: (error) => {
    process.stderr.write(`${String(error)}\n`);
    process.exitCode = 1;
  },
});
const bytes = async (): Promise<number> => (await stat(path).catch(() => undefined))?.size ?? 0;
const isPutAside = (): Promise<boolean> =>
  stat(`${path}.rotating`).then(
    () => true,
    () => false,
  );
for (let i = 0; i < Number(count); i++) {
  const facts: Partial<AuditFacts> = { userAgent: 'x'.repeat(100) };
  file.write({ time: '', requestId: `${name}-${i}`, milliseconds: 1 }, new Audited(facts as AuditFacts));
  if (i % 20 !== 0) continue;
  await file.flush();
  // Who puts it aside may be slow, on a busy machine, and is to be met by those who write and yet have done with it before they are.
  while ((await bytes()) > 2 * Number(maxBytes) && (await isPutAside())) await pause(5);
}
await file.close();
