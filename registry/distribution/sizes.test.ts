import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mediaTypes } from '../images/index.ts';
import { sha256 } from '../images/testing/index.ts';
import type { Fetch } from '../testing/docker-client.ts';
import {
  begin,
  codeOf,
  imageOf,
  openPlayground,
  patch,
  type Playground,
  push,
  pushDiamond,
  putManifest,
} from '../testing/playground.ts';

let playground: Playground;
let admin: Fetch;
let guest: Fetch;
beforeAll(async () => {
  playground = await openPlayground({ limits: { blobBytes: 1_000_000, openUploads: 50 } });
  ({ admin, guest } = playground);
});
afterAll(() => playground[Symbol.asyncDispose]());

describe('sizes', () => {
  test('B1: a manifest of 4 MiB and one byte is refused with 413, also when it is sent in chunks', async () => {
    const body = ' '.repeat(4 * 1024 * 1024 + 1);
    expect(await codeOf(await putManifest(admin, 'open/app', 'big', body))).toBe('413 SIZE_INVALID');
    const stream = new ReadableStream({
      start: (controller) => (controller.enqueue(Buffer.from(body)), controller.close()),
    });
    const chunked = await admin('PUT', '/v2/open/app/manifests/big', {
      body: stream,
      duplex: 'half',
      headers: { 'content-type': mediaTypes.ociManifest },
    });
    expect(chunked.status).toBe(413);
  });

  test('B2: more than 100 tags in one request are refused', async () => {
    const digest = await push(admin, 'open/app', '{"b":2}');
    const body = imageOf(digest, 7);
    const query = Array.from({ length: 101 }, (_, number) => `tag=t${number}`).join('&');
    expect(
      (
        await admin('PUT', `/v2/open/app/manifests/${sha256(body)}?${query}`, {
          body,
          headers: { 'content-type': mediaTypes.ociManifest },
        })
      ).status,
    ).toBe(414);
  });

  test('B3: thirty levels of indexes that each list the two below are taken: none looks at an index once for every way to it', async () => {
    expect((await pushDiamond(admin, 'open/deep', 30)).digest).toMatch(/^sha256:/);
  });

  test('B5: a blob over the limit is refused at the byte, and its upload is gone', async () => {
    const location = await begin(admin, 'open/app');
    expect((await patch(admin, location, 'x'.repeat(600_000))).status).toBe(202);
    expect(await codeOf(await patch(admin, location, 'x'.repeat(600_000)))).toBe('413 SIZE_INVALID');
    expect((await admin('GET', location)).status).toBe(404);
  });

  test('B8: referrers come in pages that link to each other', async () => {
    const digest = await push(admin, 'open/refs', '{"b":8}');
    const subject = { mediaType: mediaTypes.ociManifest, digest: sha256('subject'), size: 7 };
    for (let number = 0; number < 7; number++) {
      const artifactType = number % 2 === 0 ? 'application/x.even' : 'application/x.odd';
      const body = imageOf(digest, 7, { subject, artifactType, annotations: { number: String(number) } });
      const response = await putManifest(admin, 'open/refs', sha256(body), body);
      expect(response.headers.get('oci-subject')).toBe(subject.digest);
    }
    const found: { digest: string }[] = [];
    let path: string | undefined = `/v2/open/refs/referrers/${subject.digest}?n=2&artifactType=application/x.even`;
    while (path !== undefined) {
      const response: Response = await admin('GET', path);
      expect(response.headers.get('oci-filters-applied')).toBe('artifactType');
      found.push(...((await response.json()) as { manifests: { digest: string }[] }).manifests);
      path = /^<([^>]+)>/.exec(response.headers.get('link') ?? '')?.[1];
    }
    expect(new Set(found.map((entry) => entry.digest)).size).toBe(4);
  });

  test('B10: one caller cannot open uploads without end', async () => {
    let status = 202;
    for (let count = 0; count < 60 && status === 202; count++)
      ({ status } = await guest('POST', '/v2/open/many/blobs/uploads/'));
    expect(status).toBe(429);
    expect((await admin('POST', '/v2/open/many/blobs/uploads/')).status).toBe(202);
  });
});
