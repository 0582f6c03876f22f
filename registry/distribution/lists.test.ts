import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Fetch } from '../testing/docker-client.ts';
import { openPlayground, type Playground, push } from '../testing/playground.ts';
import { type ServedRegistry } from '../testing/serve-registry.ts';

let playground: Playground;
let registry: ServedRegistry;
let admin: Fetch;
let guest: Fetch;
beforeAll(async () => {
  playground = await openPlayground();
  ({ registry, admin, guest } = playground);
});
afterAll(() => playground[Symbol.asyncDispose]());

describe('lists', () => {
  test('C1: the catalog shows what the caller may see, and nothing to strangers', async () => {
    await push(admin, 'secret/hidden', 'x');
    await push(guest, 'open/visible', 'x');
    const { repositories } = (await (await guest('GET', '/v2/_catalog?n=1000')).json()) as { repositories: string[] };
    expect(repositories).toContain('open/visible');
    expect(repositories.filter((name) => !name.startsWith('open/'))).toEqual([]);
    expect((await fetch(`${registry.url}/v2/_catalog`)).status).toBe(401);
  });

  test.each([
    ['0', 200],
    ['-1', 400],
    ['abc', 400],
    ['1e9', 400],
    [String(2 ** 31), 200],
    [String(2 ** 53), 200],
    ['9'.repeat(30), 400],
  ])('C2: n=%s', async (n, status) => {
    await push(admin, 'open/paged', 'x');
    for (const path of ['/v2/_catalog', '/v2/open/paged/tags/list']) {
      const response = await admin('GET', `${path}?n=${n}`);
      expect([response.status, response.headers.get('link')]).toEqual([status, null]);
    }
  });
});
