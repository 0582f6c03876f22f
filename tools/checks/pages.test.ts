import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const pages = ['README.md', ...globSync('{auth,registry,scheduler,storage,tools}/**/*.md', { cwd: root })].filter(
  (page) => !/node_modules|\/testdata\//.test(page),
);

/** As GitHub makes them: lower case, without punctuation, `-` for a space. */
const anchorsOf = (page: string): ReadonlySet<string> =>
  new Set(
    [...readFileSync(join(root, page), 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{Letter}\p{Number} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );

test('every link from a page to a file, a folder or a heading of this checkout leads there', () => {
  expect(pages.length).toBeGreaterThan(20);
  const links = pages.flatMap((page) => {
    const text = readFileSync(join(root, page), 'utf8').replaceAll(/^```[^]*?^```$|`[^`\n]*`/gm, '');
    return [...text.matchAll(/\]\((?![a-z]+:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].map(([, file = '', anchor]) => {
      const target = file === '' ? page : join(dirname(page), file);
      return { page, target, anchor };
    });
  });
  expect(links.length).toBeGreaterThan(50);
  const dead = links.filter(
    ({ target, anchor }) => !existsSync(join(root, target)) || (anchor !== undefined && !anchorsOf(target).has(anchor)),
  );
  expect(dead).toEqual([]);
});

test.each(['auth', 'registry', 'scheduler', 'storage', 'tools'])(
  '%s/README.md is read in one sitting: three sentences, one diagram, ten words, one thing added; all else on pages beside',
  (room) => {
    const text = readFileSync(join(root, room, 'README.md'), 'utf8');
    const [, beginning = ''] = /^# .*\n([^]*?)(?=^#|^```)/m.exec(text) ?? [];
    const inProse = beginning.replaceAll(/`[^`]*`|\([^)]*\)/g, '');
    const [, words = ''] = /^## Ten words\n([^]*?)(?=^## )/m.exec(text) ?? [];
    expect({
      sentences: inProse.match(/[.!?](?=\s|$)/g)?.length,
      diagrams: text.match(/^```mermaid$/gm)?.length,
      words: words.match(/^(?:- \*\*|\| (?!word |---))/gm)?.length,
      examples: text.match(/^## (?:Adding |One more ).*/gm)?.length,
      short: text.split('\n').length < 120,
    }).toEqual({ sentences: 3, diagrams: 1, words: 10, examples: 1, short: true });
  },
);

/** `CreateTaskSet` as the AWS CLI has it. */
const kebab = (name: string): string => name.replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, '-').toLowerCase();

test('every operation in a table with a column «shown by» is called by a test that its row names', () => {
  const rows = pages.flatMap((page) => {
    const text = readFileSync(join(root, page), 'utf8');
    return [...text.matchAll(/^\|.*\| shown by \|\n\|[-|]+\|\n((?:\|.*\|\n)+)/gm)].flatMap(([, body = '']) =>
      body
        .trimEnd()
        .split('\n')
        .map((row) => {
          const cells = row.split('|').slice(1, -1);
          const namesIn = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
          return {
            page,
            operations: namesIn(cells.slice(0, -1).join('|')).filter((name) => /^[A-Z][a-z]\w+$/.test(name)),
            tests: namesIn(cells.at(-1) ?? ''),
          };
        }),
    );
  });
  expect(new Set(rows.map(({ page }) => page)).size).toBeGreaterThan(2);
  const wrong = rows.flatMap(({ page, operations, tests }) => {
    // The table of ECR's operations begins at its room.
    const files = tests.map((test) => [join(dirname(page), test), join(dirname(page), '..', test)]);
    const found = files.map((places) => places.map((place) => join(root, place)).find((place) => existsSync(place)));
    const texts = found.flatMap((place) => (place === undefined ? [] : readFileSync(place, 'utf8')));
    const isCalled = (name: string): boolean =>
      texts.some((text) => new RegExp(`\\b${name}(?:Command)?\\b|'${kebab(name)}'`).test(text));
    return [
      ...tests.filter((_, i) => found[i] === undefined).map((test) => `${page}: there is no ${test}`),
      ...operations
        .filter((name) => !isCalled(name))
        .map((name) => `${page}: ${name} is in none of ${tests.join(', ')}`),
    ];
  });
  expect(wrong).toEqual([]);
});
