import { expect, test } from 'vitest';
import { createSigning, type PageRequest, Pages, rowsOf } from './index.ts';

const key = (account: string): Uint8Array => new Uint8Array(32).fill(account.length);
const pages = new Pages(createSigning(key), {
  usual: 3,
  most: 10,
  badSize: (asked, most) => new Error(`size ${asked}, at most ${most}`),
  badToken: () => new Error('not a token of this list'),
});
const account = '000000000000';
const names = ['d', 'a', 'c', 'e', 'b', 'f', 'g'];

async function pageOf(request: PageRequest, list: readonly unknown[] = ['letters']) {
  const rows = rowsOf(names, (name) => name, await pages.start(account, list, request));
  return pages.page(account, list, request, rows, (name) => (name === 'c' ? undefined : name.toUpperCase()));
}

test('walks a list in order, without an empty page at its end', async () => {
  const first = await pageOf({});
  expect(first.items).toEqual(['A', 'B', 'D']);
  const second = await pageOf({ nextToken: first.nextToken });
  expect(second).toEqual({ items: ['E', 'F', 'G'] });
});

test('an empty token is no token', async () => {
  expect((await pageOf({ nextToken: '', maxResults: 1 })).items).toEqual(['A']);
});

test.each([0, -1, 1.5, 11, Number.NaN])('refuses a page of %s', async (maxResults) => {
  await expect(pageOf({ maxResults })).rejects.toThrow(`size ${maxResults}, at most 10`);
});

test('refuses tokens that were made up, changed, or belong to another list or account', async () => {
  const { nextToken = '' } = await pageOf({ maxResults: 1 });
  const [body = '', mac = ''] = nextToken.split('.');
  const bad = [
    'x',
    '.',
    body,
    `${body}.`,
    `${body}.${mac}.`,
    `${Buffer.from('["c"]').toString('base64url')}.${mac}`,
    `${body}.${mac.startsWith('A') ? 'B' : 'A'}${mac.slice(1)}`,
    'a'.repeat(1 << 20),
    nextToken + nextToken,
  ];
  for (const token of bad)
    await expect(pageOf({ nextToken: token }), token.slice(0, 40)).rejects.toThrow('not a token of this list');
  await expect(pageOf({ nextToken }, ['other'])).rejects.toThrow('not a token of this list');
  // The same key for both: it is the account in what is signed that tells them apart.
  await expect(pages.start('111111111111', ['letters'], { nextToken })).rejects.toThrow('not a token of this list');
  expect(await pages.start(account, ['letters'], { nextToken })).toBe('a');
});
