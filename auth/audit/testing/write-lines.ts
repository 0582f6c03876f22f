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
for (let i = 0; i < Number(count); i++) {
  const facts: Partial<AuditFacts> = { userAgent: 'x'.repeat(100) };
  file.write({ time: '', requestId: `${name}-${i}`, milliseconds: 1 }, new Audited(facts as AuditFacts));
  if (i % 20 === 0) await file.flush();
}
await file.close();
