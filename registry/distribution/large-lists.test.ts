import { ListImagesCommand } from '@aws-sdk/client-ecr';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { keys, mediaTypes, registryPartition } from '../images/index.ts';
import { sha256 } from '../images/testing/index.ts';
import { ecrClient, type Fetch } from '../testing/docker-client.ts';
import { imageOf, openPlayground, type Playground, push, putManifest } from '../testing/playground.ts';
import { account } from '../testing/serve-registry.ts';

/** C3, B8: a page costs what a page holds, however long the list is. */
const many = process.env['SLIPWAY_TEST_SIZE'] === undefined ? 20_000 : 100_000;
let playground: Playground;
let admin: Fetch;
let guest: Fetch;
let subject: string;

/** Puts rows where pushes would have put them, a hundred times as fast. */
async function fill(row: (index: number) => { key: string; value: object }): Promise<void> {
  const { records } = playground.registry;
  const batch = 4000;
  for (let from = 0; from < many; from += batch) {
    const put = Array.from({ length: batch }, (_, offset) => row(from + offset));
    await records.commit(registryPartition(account), { put: put as never });
  }
}

beforeAll(async () => {
  playground = await openPlayground();
  ({ admin, guest } = playground);
  const digest = await push(admin, 'open/many', '{"c":3}');
  const body = imageOf(digest, 7);
  await putManifest(admin, 'open/many', 'v1', body);
  const { records } = playground.registry;
  const partition = registryPartition(account);
  const target = (await records.get<object>(partition, keys.tag('open/many', 'v1')))?.value ?? {};
  await fill((index) => ({ key: keys.tag('open/many', `t${index}`), value: target }));
  const repository = (await records.get<object>(partition, keys.repository('open/many')))?.value ?? {};
  await fill((index) => ({ key: keys.repository(`many/r${index}`), value: { ...repository, name: `many/r${index}` } }));
  subject = sha256('subject of very many');
  await fill((index) => {
    const referrer = sha256(`referrer ${index}`);
    const artifactType = index % 2 === 0 ? 'application/x.even' : 'application/x.odd';
    const value = { mediaType: mediaTypes.ociManifest, digest: referrer, size: 7, artifactType };
    return { key: keys.referrer('open/many', subject as never, referrer), value };
  });
});
afterAll(() => playground[Symbol.asyncDispose]());

/** How many rows the records gave out while `work` ran. */
async function rowsReadBy(work: () => Promise<void>): Promise<number> {
  const { records } = playground.registry;
  const list = records.list.bind(records);
  let rows = 0;
  records.list = async (...asked) => {
    const page = await list(...asked);
    rows += page.records.length;
    return page as never;
  };
  try {
    await work();
  } finally {
    records.list = list;
  }
  return rows;
}

test('C3: a page of 1,000 tags reads 1,000 rows, wherever it begins', async () => {
  for (const last of ['', 't1', 't5', 't9']) {
    const rows = await rowsReadBy(async () => {
      const response = await admin('GET', `/v2/open/many/tags/list?n=1000&last=${last}`);
      expect(((await response.json()) as { tags: string[] }).tags).toHaveLength(1000);
      expect(response.headers.get('link')).toContain('rel="next"');
    });
    expect(rows).toBeLessThanOrEqual(1001);
  }
});

test('C3: a page of 1,000 repositories reads little more', async () => {
  const rows = await rowsReadBy(async () => {
    const response = await admin('GET', '/v2/_catalog?n=1000&last=many/r5');
    expect(((await response.json()) as { repositories: string[] }).repositories).toHaveLength(1000);
  });
  expect(rows).toBeLessThanOrEqual(2002);
});

test('C3: who may see one repository of very many gets it, and others are served meanwhile', async () => {
  const pinging = new AbortController();
  let served = 0;
  const listing = guest('GET', '/v2/_catalog?n=1000').finally(() => pinging.abort());
  const others = (async () => {
    for (; !pinging.signal.aborted; served++) await admin('GET', '/v2/');
  })();
  const seen = (await (await listing).json()) as { repositories: string[] };
  await others;
  expect(seen.repositories).toEqual(['open/many']);
  // Who had to wait until the list was looked through would have got one answer, or two.
  expect(served).toBeGreaterThan(3);
});

test('C3: a page of 1,000 images by the ECR API reads 1,000 rows', async () => {
  const ecr = ecrClient(playground.registry);
  const rows = await rowsReadBy(async () => {
    await ecr.send(new ListImagesCommand({ repositoryName: 'open/many', maxResults: 1000 }));
  });
  ecr.destroy();
  expect(rows).toBeLessThanOrEqual(2002);
});

test('B8: referrers of one subject come in pages of at most 1,000, however many are asked for, also filtered', async () => {
  for (const filter of ['', '&artifactType=application/x.odd']) {
    const rows = await rowsReadBy(async () => {
      const response = await admin('GET', `/v2/open/many/referrers/${subject}?n=5000${filter}`);
      expect(((await response.json()) as { manifests: unknown[] }).manifests).toHaveLength(1000);
      expect(response.headers.get('link')).toContain('rel="next"');
    });
    expect(rows).toBeLessThanOrEqual(4000);
  }
});

test('B8: one referrer that is asked for is one that is read', async () => {
  const rows = await rowsReadBy(async () => {
    const response = await admin('GET', `/v2/open/many/referrers/${subject}?n=1`);
    expect(((await response.json()) as { manifests: unknown[] }).manifests).toHaveLength(1);
    expect(response.headers.get('link')).toContain('rel="next"');
  });
  expect(rows).toBe(1);
});

test('B8: a filter that nothing matches looks through so much at a time, and the pages lead to the end', async () => {
  let path: string | undefined = `/v2/open/many/referrers/${subject}?n=10&artifactType=application/x.none`;
  let pages = 0;
  for (; path !== undefined; pages++) {
    const asked: string = path;
    const rows = await rowsReadBy(async () => {
      const response = await admin('GET', asked);
      expect(((await response.json()) as { manifests: unknown[] }).manifests).toEqual([]);
      path = /^<([^>]+)>/.exec(response.headers.get('link') ?? '')?.[1];
    });
    expect(rows).toBeLessThanOrEqual(10_000);
  }
  expect(pages).toBeGreaterThanOrEqual(many / 10_000);
});

test('B9: referrers with long annotations come in pages of a few megabytes, and all of them come', async () => {
  const digest = await push(admin, 'open/long', '{"b":9}');
  const about = { mediaType: mediaTypes.ociManifest, digest: sha256('a subject of long referrers'), size: 7 };
  for (let number = 0; number < 20; number++) {
    const annotations = { number: String(number), text: 'x'.repeat(250_000) };
    const body = imageOf(digest, 7, { subject: about, annotations });
    expect((await putManifest(admin, 'open/long', sha256(body), body)).status).toBe(201);
  }
  const seen = new Set<string>();
  let path: string | undefined = `/v2/open/long/referrers/${about.digest}`;
  let pages = 0;
  for (; path !== undefined; pages++) {
    const response: Response = await admin('GET', path);
    const text = await response.text();
    expect(text.length).toBeLessThan(5_000_000);
    for (const entry of (JSON.parse(text) as { manifests: { digest: string }[] }).manifests) seen.add(entry.digest);
    path = /^<([^>]+)>/.exec(response.headers.get('link') ?? '')?.[1];
  }
  expect([seen.size, pages]).toEqual([20, 2]);
});
