import { expect, test } from 'vitest';
import { type ImagesLimits, parseRepositoryName } from '../images/index.ts';
import { account, actor, openTestImages, pushBlob, pushImage, pushIndex } from '../images/testing/index.ts';
import { auditBlobs, collect, type Interlock, interlockOf, prune, RecordsWentBack, sweepBegin } from './index.ts';

const web = parseRepositoryName('team/web');
const hour = 3_600_000;

async function opened(limits: Partial<ImagesLimits> = {}) {
  const test = await openTestImages(limits);
  await test.images.repositories.create(account, { name: web }, actor);
  return test;
}

/** Nobody else keeps blobs. */
const nothing = async () => () => false;

test('a blob goes when its images are gone, its lease is over and its time of grace has passed; not before', async () => {
  await using test = await opened();
  const { images, clock, blobs } = test;
  const gone = await pushImage(images, web, 'gone', ['x']);
  const kept = await pushImage(images, web, 'kept', ['y']);
  const run = () => collect(images.ports, account);
  const look = async (digest: typeof gone.layer.digest) => (await images.blobs.look(account, web, digest)).blob;
  const location = await look(gone.layer.digest);
  await images.manifests.remove(account, web, gone.digest, actor);

  clock.advance(2 * hour);
  expect(await run()).toMatchObject({ leased: 2, removed: 0 });
  clock.advance(24 * hour);
  expect(await run()).toMatchObject({ released: 2, referenced: 2, removed: 0 });
  expect(await look(gone.layer.digest)).toBeUndefined();
  clock.advance(hour / 2);
  expect(await run()).toMatchObject({ reviewed: 0, removed: 0 });
  clock.advance(hour);
  expect(await collect(images.ports, account, { dryRun: true })).toMatchObject({ removed: 2 });
  expect(await blobs.stat({ digest: gone.layer.digest, generation: location?.generation ?? '' })).toBeDefined();
  expect(await run()).toMatchObject({ removed: 2, freedBytes: gone.config.size + gone.layer.size });
  expect(await blobs.stat({ digest: gone.layer.digest, generation: location?.generation ?? '' })).toBeUndefined();
  expect(await look(kept.layer.digest)).toBeDefined();
  clock.advance(100 * hour);
  expect(await run()).toMatchObject({ reviewed: 0, removed: 0 });
});

test('GC-2, GC-3: a push that pauses for less than the lease succeeds; after it the blob is named as missing, never half there', async () => {
  await using test = await opened({ grace: 1 });
  const { images, clock } = test;
  const collectTwice = async () => {
    await collect(images.ports, account);
    clock.advance(10);
    await collect(images.ports, account);
  };
  const config = await pushBlob(images, web, '{}', 'application/vnd.oci.image.config.v1+json');
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: [] }));
  clock.advance(23 * hour);
  await collectTwice();
  await expect(images.manifests.put({ account, repository: web, bytes, tags: [], actor })).resolves.toMatchObject({
    changed: true,
  });

  const late = await pushBlob(images, web, 'late', 'application/vnd.oci.image.config.v1+json');
  clock.advance(25 * hour);
  await collectTwice();
  const lateBytes = Buffer.from(JSON.stringify({ schemaVersion: 2, config: late, layers: [] }));
  await expect(
    images.manifests.put({ account, repository: web, bytes: lateBytes, tags: [], actor }),
  ).rejects.toMatchObject({ code: 'LayersNotFound' });
});

test('GC-5: a removal that was begun and broken off is ended by the next run; a new upload in between is not touched', async () => {
  await using test = await opened({ lease: 1, grace: 1 });
  const { images, clock, blobs } = test;
  const blob = await pushBlob(images, web, 'again and again');
  clock.advance(10);
  expect(await prune(images.ports, account, blob.digest)).toEqual({ state: 'released' });
  const begun = await sweepBegin(images.ports, account, blob.digest);
  expect(begun).toBeDefined();
  await pushBlob(images, web, 'again and again');
  const fresh = (await images.blobs.look(account, web, blob.digest)).blob;
  expect(fresh?.generation).not.toBe(begun?.generation);
  await collect(images.ports, account, { maximum: 1 });
  expect(await blobs.stat({ digest: blob.digest, generation: begun?.generation ?? '' })).toBeUndefined();
  expect(await blobs.stat({ digest: blob.digest, generation: fresh?.generation ?? '' })).toEqual({ size: blob.size });
});

test('GC-7: nothing is collected on records that have gone back', async () => {
  await using test = await opened({ lease: 1, grace: 1 });
  const { images, clock } = test;
  let noted: number | undefined;
  const interlock: Interlock = {
    read: () => Promise.resolve(noted),
    write: (version) => Promise.resolve(void (noted = version)),
  };
  await pushBlob(images, web, 'a');
  clock.advance(10);
  await collect(images.ports, account, { interlock });
  expect(noted).toBeGreaterThan(0);
  noted = (noted ?? 0) + 1000;
  await expect(collect(images.ports, account, { interlock })).rejects.toThrow('nothing is collected');
});

test('the mark lies beside the blobs, where every server on the store sees it', async () => {
  await using test = await opened();
  const { images, clock, blobs } = test;
  await pushBlob(images, web, 'a');
  clock.advance(10);
  await collect(images.ports, account, { interlock: interlockOf(blobs, account) });
  expect(await interlockOf(blobs, account).read()).toBeGreaterThan(0);
  await interlockOf(blobs, account).write(1_000_000);
  await expect(collect(images.ports, account, { interlock: interlockOf(blobs, account) })).rejects.toThrow(
    RecordsWentBack,
  );
});

test('a loss that the record store notices ends the run that is under way, and the audit', async () => {
  await using test = await opened();
  const { images, clock, blobs } = test;
  const lone = await pushBlob(images, web, 'nobody needs it');
  clock.advance(2 * 86_400_000);
  let loss: string | undefined = 'Redis has lost its last writes';
  const interlock = interlockOf(blobs, account, () => loss);
  await expect(collect(images.ports, account, { interlock })).rejects.toThrow('Redis has lost its last writes');
  await expect(auditBlobs(images.ports, nothing, { lossNoticed: () => loss })).rejects.toThrow(RecordsWentBack);
  expect((await images.blobs.look(account, web, lone.digest)).blob).toBeDefined();
  loss = undefined;
  expect((await collect(images.ports, account, { interlock })).released).toBe(1);
});

test('GC-9: bytes that no record knows go only when they are a week old and were unknown twice, a day apart', async () => {
  await using test = await opened();
  const { images, clock, blobs } = test;
  const kept = await pushImage(images, web, 'kept', ['x']);
  const { staged } = await blobs.append(
    await blobs.stage(),
    (async function* () {
      yield Buffer.from('{}');
    })(),
  );
  const stray = await blobs.seal(staged, 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a');
  const audit = () => auditBlobs(images.ports, nothing);
  expect(await audit()).toMatchObject({ looked: 3, unknown: 0, removed: 0 });
  clock.advance(8 * 24 * hour);
  expect(await audit()).toMatchObject({ unknown: 1, removed: 0 });
  clock.advance(hour);
  expect(await audit()).toMatchObject({ unknown: 1, removed: 0 });
  clock.advance(24 * hour);
  // Known to somebody else.
  const others = async () => (blob: { readonly generation: string }) => blob.generation === stray.generation;
  expect(await auditBlobs(images.ports, others)).toMatchObject({ looked: 3, unknown: 0, removed: 0 });
  expect(await audit()).toMatchObject({ removed: 1, freedBytes: 2 });
  expect(await blobs.stat(stray)).toBeUndefined();
  expect((await images.blobs.look(account, web, kept.layer.digest)).blob).toBeDefined();
});

test('GC-10, GC-11: what an index holds is held; a run ends at its maximum and the next goes on', async () => {
  await using test = await opened({ lease: 1, grace: 1 });
  const { images, clock } = test;
  const child = await pushImage(images, web, 'child', []);
  const cached = await pushBlob(images, web, 'cached');
  await pushIndex(images, web, [child.descriptor, cached], ['multi']);
  for (let number = 0; number < 30; number++) await pushBlob(images, web, `garbage ${number}`);
  clock.advance(10);
  expect(await collect(images.ports, account)).toMatchObject({ released: 30, referenced: 3 });
  clock.advance(10);
  const first = await collect(images.ports, account, { maximum: 1 });
  expect(first.stoppedAtMaximum).toBe(true);
  expect(first.removed).toBeLessThan(30);
  const second = await collect(images.ports, account);
  expect(first.removed + second.removed).toBe(30);
  expect((await images.blobs.look(account, web, cached.digest)).blob).toBeDefined();
});

test('blobs of a repository that was deleted go as well', async () => {
  await using test = await opened({ grace: 1 });
  const { images, clock } = test;
  await pushImage(images, web, 'a', ['x']);
  await images.repositories.remove(account, web, { force: true, actor });
  clock.advance(10);
  expect(await collect(images.ports, account)).toMatchObject({ released: 2 });
  clock.advance(10);
  expect(await collect(images.ports, account)).toMatchObject({ removed: 2 });
});
