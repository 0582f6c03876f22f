import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { collect } from '../collector/index.ts';
import { keys, parseRepositoryName, registryPartition } from '../images/index.ts';
import { loggedIn, passwordOf } from '../testing/docker-client.ts';
import { type EngineName, engineNames, missingEngine, startEngines } from '../testing/engines.ts';
import { account, serveRegistry, type ServedRegistry } from '../testing/serve-registry.ts';
import { type PushedImage, seeded, Traffic } from '../testing/traffic.ts';

const size = process.env['SLIPWAY_TEST_SIZE'];
const cuts = size === undefined ? 1000 : 20_000;
/** Redis and S3 are slower to the byte, so they get a tenth. */
const cutsOn = (engine: EngineName): number => (engine === 'SQLite and files' ? cuts : cuts / 10);

describe.each(engineNames)('on %s', (engine) => {
  const missing = missingEngine(engine);

  test.skipIf(missing !== undefined)(
    `every acknowledged image is intact after ${cutsOn(engine)} cut connections on two servers, with collections all the while`,
    async () => {
      await using engines = await startEngines(engine);
      // Leases far shorter than any real one: a push that dawdles finds its blobs gone, and the collector has work.
      const limits = { lease: 1500, grace: 100, uploadIdle: 60_000 };
      await using first = await serveRegistry({ ...engines, limits });
      await using second = await serveRegistry({
        ...engines,
        limits,
        folder: first.folder,
        keepFolder: true,
        credentials: first.credentials,
      });
      const seed = Date.now() % 1_000_000;
      const traffic = new Traffic({
        origins: [first.url, second.url],
        authorization: await authorizationOf(first),
        random: seeded(seed),
      });
      const request = await loggedIn(first);
      for (const name of ['faults/a', 'faults/b']) await makeRepository(first, name);

      const ended = new AbortController();
      const collections = collectAllTheWhile(first, ended.signal);
      const acknowledged: PushedImage[] = [];
      const wrong: string[] = [];
      let next = 0;
      const started = performance.now();
      const worker = async (): Promise<void> => {
        // Long enough as well for leases to end, so that collections meet the traffic even on a fast machine.
        while (traffic.pushCuts + traffic.pullCuts < cutsOn(engine) || performance.now() - started < 3 * limits.lease) {
          const index = next++;
          const image = await traffic.push(index % 2 === 0 ? 'faults/a' : 'faults/b', `t${index}`);
          acknowledged.push(image);
          // Some go again, so that there is garbage whose blobs others share.
          if (index % 5 === 4) {
            acknowledged.splice(acknowledged.indexOf(image), 1);
            await request('DELETE', `/v2/${image.repository}/manifests/${digestOf(image.manifest)}`);
            continue;
          }
          const problem = await traffic.check(image);
          if (problem !== undefined) wrong.push(problem);
        }
      };
      await Promise.all(Array.from({ length: 8 }, worker));
      ended.abort();
      const removed = await collections;
      for (const image of acknowledged) {
        const problem = await traffic.check(image);
        if (problem !== undefined) wrong.push(problem);
      }

      expect(wrong, `seed ${seed}`).toEqual([]);
      expect(traffic.unexpected, `seed ${seed}`).toEqual([]);
      expect(traffic.pushCuts).toBeGreaterThan(cutsOn(engine) / 10);
      expect(traffic.pullCuts).toBeGreaterThan(cutsOn(engine) / 10);
      expect(removed, 'blobs that the collector removed meanwhile').toBeGreaterThan(0);
    },
    size === undefined ? 120_000 : 1_800_000,
  );

  test.skipIf(missing !== undefined)(
    '50 clients that push one layer at once all succeed, and one copy is kept',
    async () => {
      await using engines = await startEngines(engine);
      await using registry = await serveRegistry(engines);
      await makeRepository(registry, 'faults/a');
      const request = await loggedIn(registry);
      const layer = Buffer.alloc(300_000, 'layer');
      const digest = digestOf(layer);
      const statuses = await Promise.all(
        Array.from({ length: 50 }, async () => {
          const start = await request('POST', '/v2/faults/a/blobs/uploads/');
          const end = await request('PUT', `${start.headers.get('location') ?? ''}?digest=${digest}`, { body: layer });
          return end.status;
        }),
      );
      expect(statuses).toEqual(Array.from({ length: 50 }, () => 201));
      const pulled = await request('GET', `/v2/faults/a/blobs/${digest}`);
      expect(Buffer.from(await pulled.arrayBuffer()).equals(layer)).toBe(true);
      const copies = [];
      for await (const blob of registry.blobs.list()) copies.push(blob.digest);
      expect(copies).toEqual([digest]);
    },
  );

  test.skipIf(missing !== undefined)(
    '20 writers that move one tag at once have one order, and no event is lost',
    async () => {
      await using engines = await startEngines(engine);
      await using registry = await serveRegistry(engines);
      await makeRepository(registry, 'faults/a');
      const request = await loggedIn(registry);
      const traffic = new Traffic({
        origins: [registry.url],
        authorization: await authorizationOf(registry),
        random: seeded(7),
        cutShare: 0,
        blobBytes: 1000,
      });
      const images: PushedImage[] = [];
      for (let index = 0; index < 20; index++) images.push(await traffic.push('faults/a', `own-${index}`));
      await Promise.all(
        images.flatMap((image) =>
          Array.from({ length: 5 }, async () => {
            const answer = await request('PUT', '/v2/faults/a/manifests/moving', {
              headers: { 'content-type': 'application/vnd.oci.image.manifest.v1+json' },
              body: image.manifest,
            });
            expect(answer.status).toBe(201);
          }),
        ),
      );

      const events = await registry.events.read(registryPartition(account), 'registry', 0, 1000);
      const moves = events
        .filter(({ type }) => type === 'image.pushed')
        .map(({ data }) => data as { readonly tag: string; readonly digest: string; readonly previous: string | null })
        .filter(({ tag }) => tag === 'moving');
      expect(moves.length).toBeGreaterThan(0);
      // One order: each move starts where the one before it ended, and the last is where the tag is.
      expect(moves[0]?.previous).toBeNull();
      expect(moves.slice(1).map(({ previous }) => previous)).toEqual(moves.slice(0, -1).map(({ digest }) => digest));
      const now = await request('HEAD', '/v2/faults/a/manifests/moving');
      expect(moves.at(-1)?.digest).toBe(now.headers.get('docker-content-digest'));
      const row = await registry.records.get<{ digest: string }>(
        registryPartition(account),
        keys.tag('faults/a', 'moving'),
      );
      expect(row?.value.digest).toBe(moves.at(-1)?.digest);
    },
  );
});

const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

async function authorizationOf(registry: ServedRegistry): Promise<string> {
  return `Basic ${Buffer.from(`AWS:${await passwordOf(registry)}`).toString('base64')}`;
}

async function makeRepository(registry: ServedRegistry, name: string): Promise<void> {
  await registry.images.repositories.create(account, { name: parseRepositoryName(name) }, 'test');
}

async function collectAllTheWhile(registry: ServedRegistry, signal: AbortSignal): Promise<number> {
  let removed = 0;
  while (!signal.aborted) {
    removed += (await collect(registry.images.context, account)).removed;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return removed;
}
