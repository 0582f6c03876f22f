import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'slipway-go-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What test files do, each in a process of its own. */
const ask = (name: string, env: Readonly<Record<string, string>>): Promise<string> =>
  new Promise((resolve, reject) => {
    const code = `import { findGoProgram } from ${JSON.stringify(join(import.meta.dirname, 'go-program.ts'))};
      process.stdout.write(String(findGoProgram(${JSON.stringify(name)}, 'example.org/tool@v1')));`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.on('error', reject);
    child.on('close', () => resolve(text));
  });

test('several that ask at once get one build; without CI nothing is built', async () => {
  const name = `tool-${process.pid}`;
  const bin = join(folder, 'bin');
  const fake = join(folder, 'fake');
  mkdirSync(bin);
  mkdirSync(fake);
  // Stands for Go: a build takes a while, and leaves a line and the program.
  const script = `#!/bin/sh
[ "$1" = version ] && exit
echo "$2" >>"${folder}/builds"
sleep 0.3
printf '#!/bin/sh\\n' >"$GOBIN/${name}"
chmod +x "$GOBIN/${name}"
`;
  writeFileSync(join(fake, 'go'), script);
  chmodSync(join(fake, 'go'), 0o755);
  const env = { PATH: `${fake}:${process.env['PATH'] ?? ''}`, GOBIN: bin };
  expect(await ask(name, { ...env, CI: '' })).toBe('undefined');
  const found = await Promise.all([1, 2, 3, 4].map(() => ask(name, { ...env, CI: 'true' })));
  expect(found).toEqual(Array(4).fill(join(bin, name)));
  expect(readFileSync(join(folder, 'builds'), 'utf8')).toBe('example.org/tool@v1\n');
});
