/**
 * `npm run bench:h2spec [-- PROGRAM]`: h2spec 2.2 (`go install github.com/summerwind/h2spec/cmd/h2spec@latest`) against both engines over TLS.
 * Fails for a case that fails and is not known; names known ones that pass by now. Writes down what passes.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { certificateFor } from '@slipway/scheduler/balancing/engines/testing';
import { engineProxy } from './balancing/proxies.ts';
import { type Row, writeSection } from './results.ts';

/** By engine. HAProxy takes frames as large as its buffer; what Node's nghttp2 says of streams that have ended, it says to nobody. */
const known = {
  haproxy: ['http2/4.2 Sends a large size HEADERS frame that exceeds the SETTINGS_MAX_FRAME_SIZE'],
  embedded: [
    'http2/5.1 closed: Sends a DATA frame after sending RST_STREAM frame',
    'http2/5.1 closed: Sends a HEADERS frame after sending RST_STREAM frame',
    'http2/5.1 closed: Sends a DATA frame',
    'http2/5.1 closed: Sends a HEADERS frame',
    'http2/5.1.1 Sends stream identifier that is numerically smaller than previous',
    'http2/5.3.1 Sends PRIORITY frame that depend on itself',
    'http2/6.3 Sends a PRIORITY frame with 0x0 stream identifier',
    'http2/6.7 Sends a PING frame with ACK',
    'http2/6.9.1 Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream',
  ],
} as const;

const program = process.argv[2] ?? 'h2spec';
await using opened = new AsyncDisposableStack();
const folder = opened.adopt(mkdtempSync(join(tmpdir(), 'slipway-h2spec-')), (it) => rmSync(it, { recursive: true }));
const backEnd = spawn(process.execPath, [join(import.meta.dirname, 'balancing', 'backend.ts')], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
opened.defer(() => void backEnd.kill());
const port = await new Promise<number>((resolve) =>
  backEnd.stdout.once('data', (text: Buffer) => resolve(Number(text.toString()))),
);
const rows: Row[] = [];
for (const kind of ['haproxy', 'embedded'] as const) {
  const place = join(folder, kind);
  mkdirSync(place, { mode: 0o700 });
  const engine = opened.adopt(await engineProxy(kind, place, port, certificateFor('h2', 'h2.example.com')), (it) =>
    it.stop(),
  );
  const report = join(folder, `${kind}.xml`);
  const args = ['-h', engine.address, '-p', String(engine.secure), '-t', '-k', '-o', '5', '-j', report];
  const said = await new Promise<string>((resolve, reject) =>
    // It ends with 1 where a case fails.
    execFile(program, args, { maxBuffer: 16 << 20 }, (error, stdout) =>
      error !== null && typeof error.code !== 'number' ? reject(error) : resolve(stdout),
    ),
  );
  const cases = readFileSync(report, 'latin1').matchAll(
    /<testcase package="([^"]+)" classname="([^"]+)"[^>]*>\s*<(?:failure|error)/g,
  );
  const failed = [...cases].map(([, section, name]) => `${section} ${name}`);
  const unknown = failed.filter((one) => !(known[kind] as readonly string[]).includes(one));
  const mended = known[kind].filter((one) => !failed.includes(one));
  const result = /\d+ tests, .*/.exec(said)?.[0] ?? 'no result';
  process.stdout.write(`${kind}: ${result}\n`);
  rows.push({
    what: `${kind === 'haproxy' ? 'HAProxy' : 'embedded'} engine`,
    ours: result,
    peer: '',
    ratio: '',
    goal: `no case fails but ${known[kind].length} known`,
  });
  for (const one of unknown) process.stdout.write(`  fails and is not known: ${one}\n`);
  for (const one of mended) process.stdout.write(`  passes by now: ${one}\n`);
  if (unknown.length > 0 || !said.includes('145 tests')) process.exitCode = 1;
}
if (process.exitCode === undefined)
  writeSection({
    name: 'h2spec',
    title: 'HTTP/2 of load balancers',
    command: 'npm run bench:h2spec',
    notes: [
      'h2spec 2.2 over TLS. The cases that fail are listed in `h2spec.ts`: HAProxy takes frames as large as its buffer, and what Node’s nghttp2 says of streams that have ended, it says to nobody.',
    ],
    rows,
  });
