import { expect, test } from 'vitest';
import { buildConsole } from './build.ts';

test('what pages load is small, the terminal is loaded by itself, and nothing makes code of text', async () => {
  const { page, assets } = await buildConsole();
  const named = (ending: string) => [...assets].filter(([name]) => name.endsWith(ending));
  const html = page.plain.toString();
  const [main = ['', undefined]] = named('.js').filter(([name]) => html.includes(name));
  expect(main[0]).toMatch(/^main-/);
  const rest = named('.js').filter(([name]) => !name.startsWith('panel-'));
  const first = [...rest, ...named('.css')].reduce((sum, [, { br }]) => sum + br.length, 0);
  expect(first).toBeLessThan(60 * 1024);
  const [terminal] = named('.js').filter(([name]) => name.startsWith('panel-'));
  expect(terminal?.[1].br.length).toBeLessThan(80 * 1024);
  // The policy refuses it, and browsers report even what is only tried.
  for (const [name, { plain }] of named('.js'))
    expect([name, plain.toString().match(/\bFunction\b(?!\.prototype)|\beval\(/g)]).toEqual([name, null]);
});
