import type { BlobStore } from '@slipway/storage/blobs';
import { expect, test } from 'vitest';
import { mediaTypes, parseRepositoryName, parseTag } from '../images/index.ts';
import { account, actor, pushBlob } from '../images/testing/index.ts';
import { openTestScanning, osv, scanOf } from './testing/open-scanning.ts';

test('B7: a config of a million variables is kept and served, and nobody reads it, a scan included', async () => {
  await using test = await openTestScanning();
  const { images, registry } = test;
  await test.advise(osv('A-1', 'npm', 'left-pad', '1.0.0'));
  const web = parseRepositoryName('team/web');
  await images.repositories.create(account, { name: web, scanOnPush: true }, actor);
  const Env = Array.from({ length: 1_000_000 }, (_, index) => `VARIABLE_${index}=value`);
  const text = JSON.stringify({ architecture: 'amd64', os: 'linux', config: { Env } });
  expect(text.length).toBeGreaterThan(16 * 2 ** 20);
  const config = await pushBlob(images, web, text, 'application/vnd.oci.image.config.v1+json');
  const layer = await pushBlob(images, web, Buffer.alloc(10_240), 'application/vnd.oci.image.layer.v1.tar');
  const opened = watchOpen(registry.blobs);

  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] };
  const { digest } = await images.manifests.put({
    account,
    repository: web,
    bytes: Buffer.from(JSON.stringify(manifest)),
    tags: [parseTag('v1')],
    actor,
  });
  const scan = await scanOf(images, { repository: web, digest });
  expect(['COMPLETE', 'UNSUPPORTED_IMAGE']).toContain(scan?.status);
  await images.manifests.list(account, web, { limit: 10 });
  await images.resolve(account, web, 'v1');
  expect(opened).toContain(layer.digest);
  expect(opened).not.toContain(config.digest);
  expect((await images.blobs.look(account, web, config.digest)).blob?.size).toBe(text.length);
});

/** The digests of blobs that are opened from now on. */
function watchOpen(blobs: BlobStore): string[] {
  const opened: string[] = [];
  const open = blobs.open.bind(blobs);
  blobs.open = (location) => {
    opened.push(location.digest);
    return open(location);
  };
  return opened;
}
