import { randomBytes, randomUUID } from 'node:crypto';
import { type ContentOptions, DataSet, type Descriptor, emptyObject, type Payload, twoPlatforms } from './data-set.ts';
import { digestOf } from './digest.ts';
import { types } from './media-types.ts';

const artifact: Payload = { kind: 'artifact', layerType: types.exampleOne };

/** Two manifests that are alike but for this are two manifests. */
const signed = (): Record<string, string> => ({
  'org.example.conformance': 'an annotation that referrers lists repeat',
  [`org.example.${randomUUID()}`]: randomUUID(),
});

/**
 * The content that is pushed, listed, pulled and deleted, by the name of its group of cases and in the order of the run.
 * Every call of a function makes content that no run had before, but for the empty index.
 */
export const dataSets: Readonly<Record<string, () => DataSet>> = {
  image: () => made((set) => set.addImage({ tag: 'image' })),
  'image-uncompressed': () =>
    made((set) =>
      set.addImage({ tag: 'image-uncompressed', payload: { kind: 'image', layers: 2, compressed: false } }),
    ),
  'large-manifest': () => made((set) => set.addImage({ tag: 'large-manifest', annotations: largeAnnotations() })),
  index: () => made((set) => set.addMultiPlatform({ tag: 'index' })),
  'nested-index': () =>
    made((set) => set.addIndex([set.addMultiPlatform(), set.addMultiPlatform()], { tag: 'index-of-indexes' })),
  'empty-index': () => made((set) => set.addIndex([], { tag: 'index' })),
  artifact: () => made((set) => set.addImage({ tag: 'artifact', artifactType: types.exampleOne, payload: artifact })),
  'artifact-index': () =>
    made((set) => set.addMultiPlatform({ tag: 'artifact-index', artifactType: types.exampleOne, payload: artifact })),
  'artifact-without-layers': () =>
    made((set) =>
      set.addImage({
        tag: 'artifact-without-layers',
        artifactType: types.exampleOne,
        payload: { kind: 'artifact', layerType: types.empty, layer: emptyObject },
      }),
    ),
  'artifacts-with-subject': () => made(addReferrers),
  'index-with-subject': () =>
    made((set) =>
      set.addMultiPlatform({
        tag: 'tagged-artifact',
        subject: set.addMultiPlatform({ tag: 'index' }),
        artifactType: types.exampleOne,
        annotations: signed(),
        payload: artifact,
      }),
    ),
  'missing-subject': () =>
    made((set) =>
      set.addImage({
        tag: 'tagged-artifact',
        subject: { mediaType: types.image, digest: digestOf(randomBytes(32)), size: 321 },
        artifactType: types.exampleOne,
        annotations: signed(),
        payload: artifact,
      }),
    ),
  'data-field': () => made((set) => set.addImage({ tag: 'data-field', inline: true })),
  'non-distributable-layers': () => made(addForeignLayers),
  'custom-fields': () => made((set) => set.addMultiPlatform({ tag: 'custom-fields', unknownField: true })),
  'no-layers': () =>
    made((set) => set.addImage({ tag: 'no-layers', payload: { kind: 'image', layers: 0, compressed: true } })),
  // A tag in the path would leave the algorithm to the registry.
  sha512: () => made((set) => set.addMultiPlatform({ algorithm: 'sha512' })),
  'bad-digest-image': () =>
    made((set) => {
      set.addImage();
      set.spoilLast();
    }),
};

/** Content whose tags are pushed in `?tag=`: what the version after 1.1 adds. The index has two tags. */
export const tagParameterSets: Readonly<Record<string, () => DataSet>> = {
  'tag-param-sha256': () => tagged('tag-param-sha256', {}),
  'tag-param-sha512': () => tagged('tag-param-sha512', { algorithm: 'sha512' }),
};

function made(fill: (set: DataSet) => unknown): DataSet {
  const set = new DataSet();
  fill(set);
  return set;
}

function tagged(tag: string, options: ContentOptions): DataSet {
  const set = new DataSet({ tagParameters: true });
  set.addMultiPlatform({ ...options, tag });
  for (const [at, { digest }] of set.manifests.entries()) set.tags.set(`${tag}-${at}`, digest);
  return set;
}

/** Just under the 4 MB that everybody should be able to push. */
function largeAnnotations(): Record<string, string> {
  return Object.fromEntries(Array.from({ length: 400 }, (_, at) => [`org.example.large.${at}`, 'L'.repeat(9950)]));
}

function addReferrers(set: DataSet): void {
  const subject = set.addImage({ tag: 'image' });
  // Without a type of its own, an image refers as what its configuration is.
  set.addImage({ subject });
  for (const [tag, artifactType, layerType] of [
    ['tagged-artifact-1', types.exampleOne, types.exampleOne],
    ['tagged-artifact-2', types.exampleTwo, types.bytes],
  ] as const)
    set.addImage({ tag, artifactType, subject, annotations: signed(), payload: { kind: 'artifact', layerType } });
}

/** Two layers that lie elsewhere and are never pushed, and one that is. */
function addForeignLayers(set: DataSet): void {
  const foreign = (mediaType: string, size: number): Descriptor => {
    const digest = digestOf(randomBytes(32));
    return { mediaType, digest, size, urls: [`https://layers.example.com/${digest}`] };
  };
  const layers = [foreign(types.foreignLayerGzip, 654_321), foreign(types.foreignLayer, 54_321)];
  const { descriptor, diffId } = set.addLayer(true);
  const diffIds = [digestOf(randomBytes(32)), (layers[1] as Descriptor).digest, diffId];
  const [platform] = twoPlatforms;
  const config = set.addConfig(diffIds, platform ?? { os: 'linux', architecture: 'amd64' });
  set.addManifest(config, [...layers, descriptor], { tag: 'non-distributable-image' });
}
