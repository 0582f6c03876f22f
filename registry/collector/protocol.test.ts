import type { Digest } from '@slipway/storage/blobs';
import { systemClock } from '@slipway/storage/clock';
import type { Condition, Stored } from '@slipway/storage/records';
import { describe, expect, test } from 'vitest';
import { createBlobs } from '../images/blobs.ts';
import { type ImagesPorts, defaultLimits } from '../images/ports.ts';
import { removeManifest } from '../images/delete-manifest.ts';
import {
  type BlobRecord,
  ImagesError,
  keys,
  mediaTypes,
  noMeter,
  parseRepositoryName,
  type RepositoryRecord,
} from '../images/index.ts';
import { putManifest } from '../images/put-manifest.ts';
import { sha256 } from '../images/testing/index.ts';
import { RepositoryReads } from '../images/repository-reads.ts';
import { Turns } from '../images/turns.ts';
import { createUploads } from '../images/uploads.ts';
import { prune, sweepBegin, sweepEnd } from './index.ts';
import { exploreAll, exploreAtRandom, type World } from './testing/explore.ts';
import { type Gate, memoryBlobs, memoryRecords } from './testing/memory-stores.ts';

/*
 * Pushers and collectors beside each other, through the very functions that serve requests. Leases are over the moment they are
 * given, which is what any jump of any clock could do at worst; so nothing here is safe because of time.
 */

const account = '000000000000';
const web = parseRepositoryName('team/web');
const layer = 'layer';
const digest = sha256(layer);
const image = (name: string): Buffer =>
  Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: `application/vnd.test.${name}`, digest, size: layer.length },
      layers: [],
    }),
  );

interface Broken {
  readonly ignores?: (condition: Condition) => boolean;
  readonly generations?: boolean;
}

async function* once(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

function world(gate: Gate, broken: Broken, collectors: number): World {
  const { records, rows } = memoryRecords(gate, broken.ignores);
  const { blobs, has } = memoryBlobs(gate, broken.generations);
  const ports: ImagesPorts = {
    records,
    blobs,
    clock: systemClock,
    random: (size) => new Uint8Array(size),
    limits: { ...defaultLimits, lease: -1, grace: 0 },
    turns: new Turns(),
    reads: new RepositoryReads(records, () => 0),
    meter: noMeter,
  };
  const repository: RepositoryRecord = {
    name: web,
    id: 'r',
    createdAt: 0,
    tagMutability: 'MUTABLE',
    scanOnPush: false,
    encryption: { encryptionType: 'AES256' },
    tags: {},
  };
  rows.set(keys.repository(web), {
    key: keys.repository(web),
    value: repository as unknown as Stored['value'],
    version: 0,
  });
  const uploads = createUploads(ports);
  const links = createBlobs(ports);
  /** Manifests whose push was acknowledged and that nobody took away since. */
  const acknowledged = new Set<Digest>();

  const upload = async (): Promise<void> => void (await uploads.whole(account, web, digest, once(layer)));
  const put = async (name: string): Promise<void> => {
    const result = await refusable(() =>
      putManifest(ports, { account, repository: web, bytes: image(name), tags: [], actor: name }),
    );
    if (result) acknowledged.add(result.digest);
  };
  const remove = async (name: string): Promise<void> => {
    acknowledged.delete(sha256(image(name)));
    await refusable(() =>
      removeManifest(ports, { account, repository: web, digest: sha256(image(name)), actor: name }),
    );
  };
  const collectorRun = async (): Promise<void> => {
    await prune(ports, account, digest);
    const blob = await sweepBegin(ports, account, digest);
    if (blob) await sweepEnd(ports, account, digest, blob.generation);
  };

  return {
    actors: [
      async () => {
        await upload();
        await put('first');
        await remove('first');
        await upload();
        await put('again');
      },
      async () => {
        // A client that skips the upload of a layer it was told is there.
        const { blob } = await links.look(account, web, digest);
        if (blob === undefined) await upload();
        await put('second');
      },
      ...Array.from({ length: collectors }, () => async () => {
        await collectorRun();
        await collectorRun();
      }),
    ],
    check: () => {
      for (const manifest of acknowledged) {
        const row = rows.get(keys.manifest(web, manifest));
        const blob = rows.get(keys.blob(digest))?.value as BlobRecord | undefined;
        if (row === undefined) throw new Error(`the acknowledged manifest ${manifest} is gone`);
        if (blob === undefined || !has({ digest, generation: blob.generation }))
          throw new Error(`an acknowledged image lost its blob`);
        if (!rows.has(keys.link(digest, web)) || !rows.has(keys.reference(digest, web, manifest)))
          throw new Error('an acknowledged image is not held');
      }
    },
  };
}

/** Refusals are answers too: the client pushes again. */
async function refusable<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ImagesError) return undefined;
    throw error;
  }
}

const size = process.env['SLIPWAY_TEST_SIZE'];
const schedules = size === undefined ? 10_000 : 200_000;
const seed = Number(process.env['SLIPWAY_TEST_SEED'] ?? 20_260_716);

describe('GC-1, GC-4, GC-5, GC-6: an image whose push was acknowledged keeps its blobs', () => {
  test(`in ${schedules} schedules of two pushers and two collectors (seed ${seed})`, async () => {
    await expect(exploreAtRandom((gate) => world(gate, {}, 2), schedules, seed)).resolves.toBeUndefined();
  }, 600_000);

  test('in every schedule of two pushers and a collector with at most two interruptions', async () => {
    const bound = size === undefined ? 2 : 3;
    const runs = await exploreAll((gate) => world(gate, {}, 1), bound, size === undefined ? 20_000 : 2_000_000);
    expect(runs).toBeGreaterThan(1000);
  }, 600_000);
});

/** Each takes one part of the protocol away. That they are caught shows that the test can see the mistake, and that the part is needed. */
const variants: Record<string, Broken> = {
  'the same place for every copy of a digest': { generations: false },
  'a manifest that does not require its blobs to be there (GC-8: also existence answered from a cache)': {
    ignores: (condition) => 'exists' in condition && condition.key.startsWith('link|'),
  },
  'check, then remove: links taken away without looking at references again': {
    ignores: (condition) => 'prefix' in condition && condition.prefix.startsWith('reference|'),
  },
  'check, then remove: the blob taken away without looking at links again': {
    ignores: (condition) => 'prefix' in condition && condition.prefix.startsWith('link|'),
  },
  'an acknowledgement that does not require the blob to be as it was read': {
    ignores: (condition) => 'key' in condition && condition.key.startsWith('blob|'),
  },
};

test.each(Object.entries(variants))(
  'the test catches %s',
  async (_name, broken) => {
    await expect(exploreAtRandom((gate) => world(gate, broken, 2), 20_000, seed)).rejects.toThrow(/acknowledged/);
  },
  600_000,
);
