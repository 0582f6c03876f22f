import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');

/**
 * The shell blocks under a heading of a page, in order, so that what readers are told to type is what a test types.
 * @param page from the root of the checkout, e.g. `README.md`
 * @throws Error when there is no such heading or no block under it
 */
export const shellBlocks = (page: string, heading: string): readonly string[] => codeBlocks(page, heading, 'sh');

/** The same for blocks of another language, e.g. `ini`. */
export function codeBlocks(page: string, heading: string, language: string): readonly string[] {
  const text = readFileSync(join(root, page), 'utf8');
  const [, level = '', rest = ''] = new RegExp(`^(#+) ${literal(heading)}\n([^]*)`, 'm').exec(text) ?? [];
  const end = new RegExp(`^#{1,${level.length}} `, 'm').exec(withoutBlocks(rest))?.index ?? rest.length;
  const fenced = new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'gm');
  const blocks = [...rest.slice(0, end).matchAll(fenced)].map(([, block = '']) => block);
  if (blocks.length === 0) throw new Error(`${page} has no ${language} block under "${heading}"`);
  return blocks;
}

/** The same length, with what stands in blocks blanked: a comment of the shell looks like a heading. */
const withoutBlocks = (text: string): string =>
  text.replaceAll(/^```[^]*?^```$/gm, (block) => block.replaceAll(/[^\n]/g, ' '));

/** A pattern that matches the text and nothing else. */
const literal = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
