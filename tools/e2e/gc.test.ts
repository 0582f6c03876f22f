import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Images, mediaTypes, openImages, parseRepositoryName, parseTag } from '@slipway/registry/images';
import type { Digest } from '@slipway/storage/blobs';
import { systemClock } from '@slipway/storage/clock';
import { openStorage } from '@slipway/storage/engine';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readConfig } from '../server/config.ts';
import { storageConfig } from '../server/storage-config.ts';
import { type CommandResult, run } from '../testbed/command.ts';

const account = '000000000000';
const slipway = join(import.meta.dirname, '..', 'bin', 'slipway');
const data = mkdtempSync(join(tmpdir(), 'slipway-gc-'));
/** Images that stay, images that go, and the bytes of a blob. */
const [kept, gone, size] = [20, 300, 2048];

const gc = (...options: string[]): Promise<CommandResult> => run(slipway, ['gc', '--data', data, ...options]);

beforeAll(async () => {
  const storage = await openStorage(storageConfig(readConfig({ SLIPWAY_DATA: data })), systemClock);
  const { records, blobs } = storage;
  // Pushed two days ago and removed a day ago, so that no lease and no grace is left; the last one was pushed just now.
  const at = (hours: number): Images =>
    openImages({ records, blobs, clock: { ...systemClock, now: () => Date.now() - hours * 3_600_000 } });
  const name = parseRepositoryName('team/app');
  await at(48).repositories.create(account, { name }, 'test');
  const digests: Digest[] = [];
  for (let index = 0; index < kept + gone; index++) digests.push(await push(at(48), `t${index}`));
  for (const digest of digests.slice(kept)) await at(24).manifests.remove(account, name, digest, 'test');
  await blob(at(0));
  await storage.close();

  async function blob(images: Images) {
    const bytes = randomBytes(size);
    const digest: Digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    const body = async function* () {
      yield bytes;
    };
    await images.uploads.whole(account, name, digest, body());
    return { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size };
  }
  async function push(images: Images, tag: string): Promise<Digest> {
    const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: await blob(images), layers: [] };
    const bytes = Buffer.from(JSON.stringify(manifest));
    const pushed = { account, repository: name, bytes, tags: [parseTag(tag)], actor: 'test' };
    return (await images.manifests.put(pushed)).digest;
  }
});
afterAll(() => rmSync(data, { recursive: true, force: true }));

const reportOf = async (...options: string[]): Promise<object> => {
  const { code, stdout, stderr } = await gc('--output', 'json', ...options);
  expect([code, stderr]).toEqual([0, '']);
  return (JSON.parse(stdout) as Record<string, object>)[account] ?? {};
};

test('a dry run counts what would go and why the rest stays, and changes nothing', async () => {
  for (let turn = 0; turn < 2; turn++)
    expect(await reportOf('--dry-run')).toMatchObject({ removed: 0, released: gone, referenced: kept, waiting: 1 });
  const { stdout } = await gc('--dry-run');
  expect(stdout).toContain(`account ${account}: would remove 0 blobs`);
  expect(stdout).toContain(`kept ${kept} that images need`);
  expect(stdout).toContain(`kept ${gone} that nothing needs any more, until their time of grace is over`);
  expect(stdout).toMatch(/1 looks are not due yet, the next at \d{4}-/);
});

test.skipIf(!existsSync('/usr/bin/script'))('on a terminal a bar shows how far it is', async () => {
  const { stdout } = await run('script', ['-qec', `${slipway} gc --dry-run --data ${data}`, '/dev/null']);
  expect(stdout).toMatch(/\[#+-*\] +\d+ % {2}\d+ of \d+, would remove \d+ blobs/);
});

test('collections free exactly what nothing needs, when its time of grace is over', async () => {
  expect(await reportOf()).toMatchObject({ released: gone, removed: 0 });
  // An hour later, by the journal: its entries are moved, as if the clock had.
  const storage = await openStorage(storageConfig(readConfig({ SLIPWAY_DATA: data })), systemClock);
  const { records } = storage;
  const partition = `registry/${account}`;
  const { records: entries } = await records.list(partition, { prefix: 'review|', limit: 10_000 });
  const due = entries.map(({ key }) => key).filter((key) => Number(key.split('|')[1]) <= Date.now() + 2 * 3_600_000);
  const put = due.map((key) => ({ key: `review|000000000000001|${key.split('|')[2]}`, value: {} }));
  // In one commit: hundreds of them take minutes on a disk that others keep busy.
  await records.commit(partition, { remove: due, put });
  await storage.close();
  expect(await reportOf('--dry-run', '--maximum', '1000')).toMatchObject({ removed: gone, freedBytes: gone * size });
  expect(await reportOf('--maximum', '100')).toMatchObject({ stoppedAtMaximum: true });
  const rest = (await reportOf()) as { removed: number };
  expect(rest.removed).toBeGreaterThan(100);
  expect(await reportOf()).toMatchObject({ removed: 0, released: 0, waiting: 1 });
});
