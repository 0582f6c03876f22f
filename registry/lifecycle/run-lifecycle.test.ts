import { expect, test } from 'vitest';
import { parseRepositoryName } from '../images/index.ts';
import { account, actor, all, openTestImages, pushImage, pushIndex } from '../images/testing/index.ts';
import { makePreview, previewPart, runLifecycle } from './index.ts';

const web = parseRepositoryName('team/web');
const day = 86_400_000;
const policy = JSON.stringify({
  rules: [
    {
      rulePriority: 1,
      selection: { tagStatus: 'tagged', tagPatternList: ['v*'], countType: 'imageCountMoreThan', countNumber: 1 },
      action: { type: 'expire' },
    },
    {
      rulePriority: 2,
      selection: { tagStatus: 'untagged', countType: 'sinceImagePushed', countUnit: 'days', countNumber: 1 },
      action: { type: 'expire' },
    },
  ],
});

async function opened(inUse: readonly string[] = []) {
  const test = await openTestImages();
  await test.images.repositories.create(account, { name: web, lifecyclePolicy: policy }, actor);
  return {
    ...test,
    run: () => all(runLifecycle({ images: test.images, imagesInUse: () => Promise.resolve(new Set(inUse)) }, account)),
  };
}

test('a run does exactly what the preview said, and notes when it looked', async () => {
  const { images, clock, run, ...rest } = await opened();
  await using _ = rest;
  const old = await pushImage(images, web, 'old', ['v1']);
  clock.advance(1000);
  const newest = await pushImage(images, web, 'new', ['v2']);
  const stray = await pushImage(images, web, 'stray', []);
  clock.advance(2 * day);
  const preview = await makePreview(images, account, web, policy);
  const results = await previewPart(images, account, web, preview, 0);
  const [report] = await run();
  expect(report?.expired.map(({ digest, priority }) => ({ digest, priority }))).toEqual(
    results.map(({ digest, priority }) => ({ digest, priority })),
  );
  expect(new Set(results.map(({ digest }) => digest))).toEqual(new Set([old.digest, stray.digest]));
  expect((await images.manifests.list(account, web, { limit: 10 })).images.map(({ digest }) => digest)).toEqual([
    newest.digest,
  ]);
  expect((await images.repositories.get(account, web)).lifecycleEvaluatedAt).toBeGreaterThan(Date.now() + day);
  expect(await run()).toEqual([]);
});

test('GC-12: images that tasks use are kept, and the report says so', async () => {
  const test = await openTestImages();
  await using _ = test;
  const { images, clock } = test;
  await images.repositories.create(account, { name: web, lifecyclePolicy: policy }, actor);
  const used = await pushImage(images, web, 'used', ['v1']);
  clock.advance(1000);
  await pushImage(images, web, 'new', ['v2']);
  const [report] = await all(
    runLifecycle({ images, imagesInUse: () => Promise.resolve(new Set([used.digest])) }, account),
  );
  expect(report).toEqual({
    repository: web,
    expired: [],
    archived: [],
    kept: [{ digest: used.digest, priority: 1, reason: 'in-use' }],
  });
  expect(await images.resolve(account, web, 'v1')).toBeDefined();
});

test('children stay with their index, signatures with their subject, and follow it a day after it is gone', async () => {
  const { images, clock, run, ...rest } = await opened();
  await using _ = rest;
  const child = await pushImage(images, web, 'child', []);
  await pushIndex(images, web, [child.descriptor], ['v1']);
  const subject = await pushImage(images, web, 'subject', ['keep']);
  const signature = await pushImage(images, web, 'signature', [], {
    subject: subject.descriptor,
    artifactType: 'application/x.signature',
  });
  clock.advance(3 * day);
  expect((await run())[0]?.expired).toEqual([]);
  await images.manifests.remove(account, web, subject.digest, actor);
  clock.advance(day / 2);
  expect((await run())[0]?.expired.map(({ digest }) => digest)).toEqual([signature.digest]);
});

test('a tag that comes between decision and removal saves the image', async () => {
  const { images, clock, run: _run, ...rest } = await opened();
  await using _ = rest;
  const stray = await pushImage(images, web, 'stray', []);
  clock.advance(2 * day);
  const removal = { account, repository: web, digest: stray.digest, actor, onlyWithTags: [] };
  await pushImage(images, web, 'stray', ['prod']);
  await expect(images.manifests.removeIf(removal)).rejects.toMatchObject({ code: 'ManifestInUse' });
  expect(await images.resolve(account, web, 'prod')).toBeDefined();
});
