import { describe, expect, test } from 'vitest';
import { collect } from '../collector/index.ts';
import { keys, parseRepositoryName, registryPartition } from '../images/index.ts';
import { loggedIn, passwordOf } from '../testing/docker-client.ts';
import { type EngineName, engineNames, missingEngine, startEngines } from '../testing/engines.ts';
import { account, serveRegistry, type ServedRegistry } from '../testing/serve-registry.ts';
import { digestOf, type PushedImage, seeded, testSeed, Traffic } from '../testing/traffic.ts';

const size = process.env['SLIPWAY_TEST_SIZE'];
const cuts = size === undefined ? 1000 : 20_000;
/** Redis and S3 are slower to the byte, so they get a tenth. */
const cutsOn = (engine: EngineName): number => (engine === 'SQLite and files' ? cuts : cuts / 10);
const timeout = size === undefined ? 120_000 : 1_800_000;
/** Leases far shorter than any real one: a push that dawdles finds its blobs gone, and the collector has work. */
const limits = { lease: 1500, grace: 100, uploadIdle: 60_000 };
const manifestType = 'application/vnd.oci.image.manifest.v1+json';

describe.each(engineNames)(`on %s, seed ${testSeed}`, (engine) => {
  const missing = missingEngine(engine);

  test.skipIf(missing !== undefined)(
    `every acknowledged image is intact after ${cutsOn(engine)} cut connections on two servers, with collections all the while`,
    { timeout },
    async () => {
      await using field = await openField(engine);
      const { traffic } = field;
      const request = await loggedIn(field.first);
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
      wrong.push(...(await field.problemsWith(acknowledged)));

      expect(wrong).toEqual([]);
      expect(traffic.unexpected).toEqual([]);
      expect(traffic.pushCuts).toBeGreaterThan(cutsOn(engine) / 10);
      expect(traffic.pullCuts).toBeGreaterThan(cutsOn(engine) / 10);
      expect(await field.stopCollecting(), 'blobs that the collector removed meanwhile').toBeGreaterThan(0);
      // A client that goes away in the middle is its own matter, not an error to log.
      expect([...field.first.failures, ...field.second.failures]).toEqual([]);
    },
  );

  test.skipIf(missing !== undefined)(
    '50 clients of two servers that push images with one layer at once all succeed, and one copy of it is kept',
    { timeout },
    async () => {
      await using field = await openField(engine, { cutShare: 0.2, sharedLayers: 1 });
      const { traffic } = field;
      const images = await Promise.all(
        Array.from({ length: 50 }, (_, index) => traffic.push(index % 2 === 0 ? 'faults/a' : 'faults/b', `t${index}`)),
      );
      // The leases are over: only images hold the layer now.
      await new Promise((resolve) => setTimeout(resolve, 2 * limits.lease));
      expect(await field.problemsWith(images)).toEqual([]);
      expect(traffic.unexpected).toEqual([]);
      await field.stopCollecting();
      const shared = digestOf(images[0]?.blobs.at(-1) as Buffer);
      const copies = [];
      for await (const blob of field.first.blobs.list()) if (blob.digest === shared) copies.push(blob.generation);
      expect(copies).toHaveLength(1);
    },
  );

  test.skipIf(missing !== undefined)(
    '20 writers that move one tag at once have one order, and no event is lost',
    { timeout },
    async () => {
      await using field = await openField(engine, { cutShare: 0, blobBytes: 1000 });
      const { first, second, traffic } = field;
      const clients = [await loggedIn(first), await loggedIn(second)];
      const images: PushedImage[] = [];
      for (let index = 0; index < 20; index++) images.push(await traffic.push('faults/a', `own-${index}`));
      await Promise.all(
        images.flatMap((image, writer) =>
          Array.from({ length: 5 }, async () => {
            const answer = await clients[writer % 2]?.('PUT', '/v2/faults/a/manifests/moving', {
              headers: { 'content-type': manifestType },
              body: image.manifest,
            });
            expect(answer?.status).toBe(201);
          }),
        ),
      );
      expect(await field.problemsWith(images)).toEqual([]);

      const partition = registryPartition(account);
      const events = (await first.events.read(partition, 'registry', 0, 1000))
        .filter(({ type }) => type === 'image.pushed')
        .map(({ data }) => data as { readonly tag: string; readonly digest: string; readonly previous: string | null });
      const own = events.filter(({ tag }) => tag !== 'moving');
      expect(own.map(({ tag, digest }) => [tag, digest])).toEqual(
        images.map(({ tag, manifest }) => [tag, digestOf(manifest)]),
      );
      const moves = events.filter(({ tag }) => tag === 'moving');
      // Who is last to write for the first time has moved the tag, whatever came between.
      expect(new Set(moves.map(({ digest }) => digest))).toEqual(new Set(own.map(({ digest }) => digest)));
      // One order: each move starts where the one before it ended, and the last is where the tag is.
      expect(moves[0]?.previous).toBeNull();
      expect(moves.slice(1).map(({ previous }) => previous)).toEqual(moves.slice(0, -1).map(({ digest }) => digest));
      for (const client of clients) {
        const now = await client('HEAD', '/v2/faults/a/manifests/moving');
        expect(now.headers.get('docker-content-digest')).toBe(moves.at(-1)?.digest);
      }
      const row = await first.records.get<{ digest: string }>(partition, keys.tag('faults/a', 'moving'));
      expect(row?.value.digest).toBe(moves.at(-1)?.digest);
    },
  );
});

/** Two servers on one store, traffic to both, and a collector that never rests. */
interface Field extends AsyncDisposable {
  readonly first: ServedRegistry;
  readonly second: ServedRegistry;
  readonly traffic: Traffic;
  /** Images that do not come back byte for byte, and why. */
  problemsWith(images: readonly PushedImage[]): Promise<string[]>;
  /** Returns how many blobs were collected. */
  stopCollecting(): Promise<number>;
}

async function openField(
  engine: EngineName,
  options: Partial<ConstructorParameters<typeof Traffic>[0]> = {},
): Promise<Field> {
  await using opened = new AsyncDisposableStack();
  const engines = opened.use(await startEngines(engine));
  const first = opened.use(await serveRegistry({ ...engines, limits }));
  const { folder, credentials } = first;
  const second = opened.use(await serveRegistry({ ...engines, limits, folder, keepFolder: true, credentials }));
  for (const name of ['faults/a', 'faults/b'])
    await first.images.repositories.create(account, { name: parseRepositoryName(name) }, 'test');
  const traffic = new Traffic({
    origins: [first.url, second.url],
    authorization: `Basic ${Buffer.from(`AWS:${await passwordOf(first)}`).toString('base64')}`,
    random: seeded(testSeed),
    ...options,
  });
  const ended = new AbortController();
  const collections = collectAllTheWhile(first, ended.signal);
  const stopCollecting = (): Promise<number> => {
    ended.abort();
    return collections;
  };
  opened.defer(async () => void (await stopCollecting()));
  const closing = opened.move();
  return {
    first,
    second,
    traffic,
    async problemsWith(images) {
      const problems = [];
      for (const image of images) problems.push(await traffic.check(image));
      return problems.filter((problem) => problem !== undefined);
    },
    stopCollecting,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

async function collectAllTheWhile(registry: ServedRegistry, signal: AbortSignal): Promise<number> {
  let removed = 0;
  while (!signal.aborted) {
    removed += (await collect(registry.images.ports, account)).removed;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return removed;
}
