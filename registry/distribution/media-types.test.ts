import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Json } from '@slipway/storage/records';
import { keys, registryPartition } from '../images/index.ts';
import { sha256 } from '../images/testing/index.ts';
import type { Fetch } from '../testing/docker-client.ts';
import { codeOf, imageOf, openPlayground, type Playground, push, putManifest } from '../testing/playground.ts';
import { account } from '../testing/serve-registry.ts';

let playground: Playground;
let admin: Fetch;
const config = '{"types":1}';
beforeAll(async () => {
  playground = await openPlayground();
  ({ admin } = playground);
  await push(admin, 'open/app', config);
});
afterAll(() => playground[Symbol.asyncDispose]());

test.each([
  ['a page', 'text/html'],
  ['a page in XML', 'application/xhtml+xml'],
  ['two headers', 'application/a\r\nb'],
  ['a text with NUL', 'application/\0'],
  ['a text that no header can hold', 'application/文書'],
  ['a megabyte', 'x'.repeat(1_000_000)],
])('a manifest that says its type is %s is refused with MANIFEST_INVALID', async (_name, mediaType) => {
  const body = imageOf(sha256(config), config.length, { mediaType });
  const answer = await putManifest(admin, 'open/app', 'bad', body, 'application/json');
  expect(await codeOf(answer)).toBe('400 MANIFEST_INVALID');
  expect((await admin('HEAD', '/v2/open/app/manifests/bad')).status).toBe(404);
});

test.each(['text/html', 'application/a\r\nb: c', 'application/文書'])(
  'one that came in as %j when nobody looked is pulled, as bytes, and can be deleted',
  async (mediaType) => {
    const body = imageOf(sha256(config), config.length, { mediaType: undefined, annotations: { mediaType } });
    expect((await putManifest(admin, 'open/app', 'old', body)).status).toBe(201);
    const digest = sha256(body);
    const { records } = playground.registry;
    const partition = registryPartition(account);
    for (const key of [keys.manifest('open/app', digest), keys.tag('open/app', 'old')]) {
      const row = await records.get<Record<string, Json>>(partition, key);
      await records.commit(partition, { put: [{ key, value: { ...row?.value, mediaType } }] });
    }
    for (const reference of ['old', digest]) {
      const got = await admin('GET', `/v2/open/app/manifests/${reference}`);
      expect([got.status, got.headers.get('content-type'), await got.text()]).toEqual([
        200,
        'application/octet-stream',
        body,
      ]);
      expect((await admin('HEAD', `/v2/open/app/manifests/${reference}`)).status).toBe(200);
    }
    expect((await admin('DELETE', `/v2/open/app/manifests/${digest}`)).status).toBe(202);
  },
);

test('no answer is taken for another type than it says it has', async () => {
  const blob = `/v2/open/app/blobs/${await push(admin, 'open/app', '<script>alert(1)</script>')}`;
  expect((await putManifest(admin, 'open/app', 'seen', imageOf(sha256(config), config.length))).status).toBe(201);
  const { url } = playground.registry;
  const answers = [
    await admin('GET', '/v2/open/app/manifests/seen'),
    await admin('GET', '/v2/open/app/manifests/seen'),
    await admin('GET', blob),
    await admin('HEAD', blob),
    await admin('GET', '/v2/open/app/tags/list'),
    await admin('GET', '/v2/open/app/manifests/absent'),
    await fetch(`${url}/v2/`),
    await fetch(`${url}/nowhere`),
    await fetch(url, { method: 'POST', body: 'Action=Nothing' }),
  ];
  for (const answer of answers) expect(answer.headers.get('x-content-type-options'), answer.url).toBe('nosniff');
});
