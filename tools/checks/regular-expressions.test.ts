import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/**
 * L7: every regular expression of the code that a server runs, taken from the sources, against texts made to send a
 * backtracking matcher astray. One that takes more than linear time would stop the event loop for every caller.
 */
const root = join(import.meta.dirname, '..', '..');
const literal =
  /(?<=(?:[=(,:!&|?[{;}]|=>|return|\.\.\.)\s*)\/(?![*/])((?:[^\\/\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/([dgimsuvy]*)/g;

/** Expressions that could take long, and why they do not: how long a text they see at most. */
const bounded: Readonly<Record<string, { readonly most: number; readonly why: string }>> = {
  'scheduler/hosts/agent/policy.ts': { most: 1, why: 'sees normalized paths, which have no two slashes in a row' },
  'scheduler/hosts/control/render.ts': { most: 512, why: 'sees ARNs of task definitions that were registered' },
  'registry/scanning/scanners/adapter.ts': { most: 2048, why: 'sees the address in the configuration' },
  'registry/images/strict-json.ts': { most: 1, why: 'sees texts that were read as JSON, so every string in them ends' },
};

interface Found {
  readonly where: string;
  readonly pattern: RegExp;
}

function expressions(): readonly Found[] {
  const found = new Map<string, Found>();
  const files = globSync('{auth,registry,scheduler,storage,tools/server}/**/*.ts', {
    cwd: root,
    exclude: ['**/node_modules/**', '**/dist/**', '**/testing/**', '**/*.test.ts', '**/test-*.ts'],
  });
  for (const file of files) {
    const source = readFileSync(join(root, file), 'utf8').replaceAll(/^\s*(?:\/\*|\*|\/\/).*$/gm, '');
    for (const [text, body = '', flags = ''] of source.matchAll(literal)) {
      if (found.has(text)) continue;
      const pattern = compiled(body, flags.replace(/[gy]/g, ''));
      if (pattern !== undefined) found.set(text, { where: `${file}: ${text}`, pattern });
    }
  }
  return [...found.values()];
}

/** Undefined for what only looks like an expression, a path in a text for instance: what the sources mean as one compiles. */
function compiled(body: string, flags: string): RegExp | undefined {
  try {
    return new RegExp(body, flags);
  } catch {
    return undefined;
  }
}

/** Long enough that quadratic time is hundreds of times the linear one. */
const length = 16_000;
const units = [
  ...Array.from('aA0 -_./:,=+*%"\\([{<\t\n'),
  'a-',
  'a.',
  'a/',
  'a,',
  'a=',
  '0.',
  'aA',
  ' \t',
  '%4',
  '\\"',
  '{}',
];
const texts = units.flatMap((unit) => {
  const text = unit.repeat(length / unit.length);
  return [text, `${text}\0`, `a${text}!`];
});

/** Milliseconds of this thread on a processor, so that others of a busy machine do not count; the least of a few tries. */
function time(pattern: RegExp, text: string, enough: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3 && least > enough; i++) {
    const begun = process.threadCpuUsage();
    pattern.test(text);
    const { user, system } = process.threadCpuUsage(begun);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}

/** What one that takes quadratic time needs on this machine; a twentieth of it is a stall that callers would notice. */
const quadratic = time(/x*y/, 'x'.repeat(length), 0);
const bound = quadratic / 20;

test('L7: the time of a bad expression shows', () => {
  expect(time(/ +$/, `${' '.repeat(length)}!`, bound)).toBeGreaterThan(bound);
});

/** Files that put an expression together while they run, and why nobody who calls can have a part in it. */
const built: Readonly<Record<string, string>> = {
  'auth/gateway/signed-object.ts': 'the signing name of a service, which is in the source',
  'auth/protocol/xml-characters.ts': 'a constant',
  'registry/scanning/inventory/language-packages.ts': 'names of members, which are in the source',
  'tools/server/state-files.ts': 'names of settings, which are in the source',
};

test('L7: no regular expression is made of input', () => {
  const files = globSync('{auth,registry,scheduler,storage,tools/server}/**/*.ts', {
    cwd: root,
    exclude: ['**/node_modules/**', '**/dist/**', '**/testing/**', '**/*.test.ts'],
  });
  const making = files.filter((file) => readFileSync(join(root, file), 'utf8').includes('new RegExp('));
  expect(making.toSorted()).toEqual(Object.keys(built));
});
test('L7: no regular expression that sees input stops the event loop', () => {
  const all = expressions();
  expect(all.length).toBeGreaterThan(150);
  const slow = all.flatMap(({ where, pattern }) => {
    const most = bounded[where.slice(0, where.indexOf(':'))]?.most ?? length;
    const worst = texts.find((text) => time(pattern, most < length ? text.slice(-most) : text, bound) > bound);
    return worst === undefined
      ? []
      : [`${where} on ${JSON.stringify(worst.slice(0, 4))}…${JSON.stringify(worst.at(-1))}`];
  });
  expect(slow).toEqual([]);
});
