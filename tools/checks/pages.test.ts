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
