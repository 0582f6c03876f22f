import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { checkPromises } from './promises.ts';

const root = mkdtempSync(join(tmpdir(), 'slipway-promises-check-'));
afterEach(() => rmSync(root, { recursive: true, force: true }));

function check(path: string, text: string): string[] {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
  return checkPromises(root);
}

test.each([
  ['auth/a/a.ts', `void this.#work();`],
  ['auth/a/a.ts', `setInterval(() => void check(), 1000).unref();`],
  ['registry/a/a.ts', `for (const each of all) void look(each);`],
  ['scheduler/a/a.ts', `server.on('request', (request) => void serve(request));`],
  ['scheduler/a/a.ts', `void read()\n  .then((found) => use(found))\n  .finally(() => end());`],
  ['storage/a/a.ts', `const a = () => void b.push2(), c = d.catch(e);`],
  ['tools/server/a.ts', `void metrics.own().then((json) => process.send?.(json));\nother().catch(() => {});`],
  // What is known of one file is not known of another.
  ['storage/leases/other.ts', `void this.#expire();`],
])('a promise without a handler is refused: %s %s', (path, text) => {
  expect(check(path, text)).toHaveLength(1);
});

test.each([
  ['auth/a/a.ts', `void this.#work().catch((err: unknown) => log.warn({ err }, 'no'));`],
  ['auth/a/a.ts', `void read()\n  .then((found) => use(found))\n  .catch(() => undefined);`],
  ['auth/a/a.ts', `const f = (): void => {};\ntype G = (a: string) => void | Promise<void>;\nlet p: Promise<void>;`],
  ['auth/a/a.ts', `// void this.#work();\n/**\n * void work()\n */`],
  ['auth/a/a.ts', `each(async (bytes) => void (await send(bytes)));\neach((bytes) => void chunks.push(bytes));`],
  ['auth/a/a.ts', `await new Promise<void>((resolve) => void (this.#wake = resolve));`],
  ['auth/a/a.test.ts', `void this.#work();`],
  ['tools/cli/a.ts', `void work();`],
  ['storage/leases/open-leases.ts', `void this.#expire();`],
])('everything else is let through: %s %s', (path, text) => {
  expect(check(path, text)).toEqual([]);
});

test('this workspace has no promise without a handler', () => {
  expect(checkPromises(join(import.meta.dirname, '..', '..'))).toEqual([]);
});
