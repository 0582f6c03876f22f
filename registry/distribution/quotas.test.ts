import { CreateRepositoryCommand } from '@aws-sdk/client-ecr';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sha256 } from '../images/testing/index.ts';
import { ecrClient, type Fetch, loggedIn } from '../testing/docker-client.ts';
import {
  begin,
  codeOf,
  imageOf,
  openPlayground,
  patch,
  type Playground,
  push,
  putManifest,
} from '../testing/playground.ts';
import { account, type ServedRegistry, serveRegistry } from '../testing/serve-registry.ts';

/** B6: limits hold when a hundred clients of two servers run into them at once. */
const limits = { imagesPerRepository: 20, repositories: 12, tagsPerImage: 10, blobBytes: 300_000, openUploads: 30 };
let playground: Playground;
let second: ServedRegistry;
/** The same administrator at two servers on one store. */
let clients: readonly [Fetch, Fetch];

beforeAll(async () => {
  playground = await openPlayground({ limits });
  const { folder, credentials } = playground.registry;
  second = await serveRegistry({ limits, folder, keepFolder: true, credentials });
  clients = [playground.admin, await loggedIn(second)];
});
afterAll(async () => {
  await second[Symbol.asyncDispose]();
  await playground[Symbol.asyncDispose]();
});

/** Lets a hundred of them loose, half on each server. */
const hundred = <T>(work: (client: Fetch, index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: 100 }, (_, index) => work(clients[index % 2] as Fetch, index)));

const tally = (codes: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const code of codes) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
};

const outcomeOf = async (response: Response): Promise<string> =>
  response.ok ? String(response.status) : codeOf(response);

test('B6: 100 images pushed at once into a repository for 20 leave 20', async () => {
  const digest = await push(clients[0], 'open/images', '{"b":6}');
  const codes = await hundred(async (client, index) =>
    outcomeOf(
      await putManifest(client, 'open/images', `t${index}`, imageOf(digest, 7, { annotations: { n: String(index) } })),
    ),
  );
  expect(tally(codes)).toEqual({ '201': 20, '403 DENIED': 80 });
  expect(await playground.registry.images.repositories.count(account, 'open/images')).toMatchObject({ images: 20 });
});

test('B6: 100 tags put on one image at once stop at its limit', async () => {
  const digest = await push(clients[0], 'open/tags', '{"b":60}');
  const codes = await hundred(async (client, index) =>
    outcomeOf(await putManifest(client, 'open/tags', `t${index}`, imageOf(digest, 8))),
  );
  expect(tally(codes)).toEqual({ '201': 10, '403 DENIED': 90 });
});

test('B6: 100 repositories made at once stop at the limit of the registry', async () => {
  const before = (await playground.registry.images.repositories.list(account, { limit: 100 })).repositories.length;
  const ecr = [ecrClient(playground.registry), ecrClient(second)] as const;
  const names = await hundred(async (_, index) =>
    (ecr[index % 2] as (typeof ecr)[0])
      .send(new CreateRepositoryCommand({ repositoryName: `many/r${index}` }))
      .then(() => 'made')
      .catch((error: Error) => error.name),
  );
  for (const client of ecr) client.destroy();
  const made = limits.repositories - before;
  expect(tally(names)).toEqual({ made, LimitExceededException: 100 - made });
});

test('B6: 100 uploads that grow over the limit end at the byte, and nothing of them is kept', async () => {
  const locations: string[] = [];
  for (let index = 0; index < 25; index++) locations.push(await begin(clients[0], 'open/images'));
  const codes = await Promise.all(
    locations.map(async (location, index) => {
      const client = clients[index % 2] as Fetch;
      expect((await patch(client, location, 'x'.repeat(200_000))).status).toBe(202);
      return outcomeOf(await patch(client, location, 'x'.repeat(200_000)));
    }),
  );
  expect(tally(codes)).toEqual({ '413 SIZE_INVALID': 25 });
  for (const location of locations) expect((await clients[0]('GET', location)).status).toBe(404);
  const whole = await hundred((client, index) =>
    client('POST', `/v2/open/images/blobs/uploads/?digest=${sha256('never')}`, {
      body: `${index}`.repeat(200_000),
    }).then(outcomeOf),
  );
  expect(tally(whole)).toEqual({ '413 SIZE_INVALID': 90, '400 DIGEST_INVALID': 10 });
});

test('B10: 100 uploads begun at once by one caller stop near the cap of each server', async () => {
  const codes = await hundred(async (client) => outcomeOf(await client('POST', '/v2/open/tags/blobs/uploads/')));
  const { '202': begun = 0, '429 TOOMANYREQUESTS': refused = 0 } = tally(codes);
  expect(begun + refused).toBe(100);
  // Each server counts for itself between two looks at the records, and what began before its first look was not counted.
  expect(begun).toBeLessThanOrEqual(2 * limits.openUploads + 10);
  expect(begun).toBeGreaterThanOrEqual(limits.openUploads);
});
