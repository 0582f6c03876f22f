import { withCounters } from '@slipway/storage/testing';
import { expect, test } from 'vitest';

const { code, growth } = await withCounters(() => import('./index.ts'));

test('L7: a pattern full of stars is matched in steps that grow as the text does, or not at all', async () => {
  for (const stars of [3, 60]) {
    const match = code.compileWildcard('*a'.repeat(stars));
    const work = (size: number): void => expect(match(`${'a'.repeat(size)}b`)).toBe(false);
    expect(await growth(work, 300)).toBeLessThan(5);
  }
});

test('reading a manifest takes steps that grow as it does', async () => {
  const empty = { mediaType: 'application/vnd.oci.empty.v1+json', digest: code.digestOf(Buffer.from('{}')), size: 2 };
  const image = { schemaVersion: 2, mediaType: code.mediaTypes.ociManifest, config: empty, layers: [empty] };
  const work = (size: number): void => {
    const annotations = Object.fromEntries(
      Array.from({ length: size }, (_, number) => [`key-${number}`, 'x'.repeat(10_000)]),
    );
    expect(code.parseManifest(Buffer.from(JSON.stringify({ ...image, annotations })), undefined).annotations).toEqual(
      annotations,
    );
  };
  const found = await growth(work, 100);
  expect(found).toBeGreaterThan(2);
  expect(found).toBeLessThan(5);
});
