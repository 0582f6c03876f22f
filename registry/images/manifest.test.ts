import { expect, test } from 'vitest';
import { digestOf, mediaTypes, parseManifest, readManifest, servedAs } from './index.ts';

const empty = { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf(Buffer.from('{}')), size: 2 };
const image = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: empty, layers: [empty] };
const bytesOf = (value: unknown): Buffer => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const reasonFor = (value: unknown, contentType?: string): string => {
  try {
    parseManifest(bytesOf(value), contentType);
    return 'accepted';
  } catch (error) {
    return (error as Error).message;
  }
};

test.each([
  ['N8: invalid UTF-8', () => parseManifest(Buffer.from([0x7b, 0xff, 0x7d]), undefined), 'UTF-8'],
  [
    'N8: a byte-order mark',
    () => parseManifest(Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytesOf(image)]), undefined),
    'valid JSON',
  ],
  ['N8: a member twice', () => parseManifest(bytesOf('{"schemaVersion":2,"schemaVersion":2}'), undefined), 'twice'],
  [
    'N8: a member twice, once escaped',
    () => parseManifest(bytesOf('{"layers":[],"l\\u0061yers":[]}'), undefined),
    'twice',
  ],
  ['N8: a member named __proto__', () => parseManifest(bytesOf('{"a":{"__proto__":{}}}'), undefined), '__proto__'],
  [
    'N8: 10,000 levels',
    () => parseManifest(bytesOf('['.repeat(10_000) + ']'.repeat(10_000)), undefined),
    'levels deep',
  ],
  [
    'N8: a size above 2^53',
    () => parseManifest(bytesOf({ ...image, layers: [{ ...empty, size: 2 ** 60 }] }), undefined),
    'size',
  ],
  ['N9: schema 1', () => parseManifest(bytesOf({ schemaVersion: 1, fsLayers: [] }), undefined), 'schema 1'],
  [
    'N9: data that is not what the digest says',
    () => parseManifest(bytesOf({ ...image, layers: [{ ...empty, data: 'e30K' }] }), undefined),
    'data',
  ],
  ['N11: layers and manifests', () => parseManifest(bytesOf({ ...image, manifests: [] }), undefined), 'both'],
  ['N11: mediaType against Content-Type', () => parseManifest(bytesOf(image), mediaTypes.ociIndex), 'Content-Type'],
  [
    'N3: a digest that is none',
    () => parseManifest(bytesOf({ ...image, layers: [{ ...empty, digest: 'sha256:0' }] }), undefined),
    'digest',
  ],
  ['B1: one byte too many', () => parseManifest(Buffer.alloc(4 * 1024 * 1024 + 1, ' '), undefined), 'at most 4194304'],
  [
    'B2: more than 1,000 layers',
    () => parseManifest(bytesOf({ ...image, layers: Array.from({ length: 1001 }, () => empty) }), undefined),
    'at most 1000',
  ],
  [
    'B9: an annotation of 1 MiB',
    () => parseManifest(bytesOf({ ...image, annotations: { a: 'x'.repeat(1024 * 1024) } }), undefined),
    'too long',
  ],
  ...[
    'text/html',
    'text/javascript',
    'application/xhtml+xml',
    'application/pdf',
    'application/x\r\nSet-Cookie: a=b',
    'application/\0',
    'application/文書',
    'application/vnd.a; charset=utf-8',
    'application',
    `application/vnd.${'a'.repeat(300)}`,
  ].map((mediaType): [string, () => unknown, string] => [
    `a manifest that says it is ${JSON.stringify(mediaType.slice(0, 30))}`,
    () => parseManifest(bytesOf({ ...image, mediaType }), undefined),
    'is not the media type of a manifest',
  ]),
  ...['', 'application', 'a/b/c', 'application/x y', `application/${'a'.repeat(128)}`].flatMap((mediaType) => {
    const entry = { ...empty, mediaType };
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [{ ...empty, artifactType: 'a b' }] };
    return [
      { ...image, config: entry },
      { ...image, layers: [entry] },
      { ...image, subject: entry },
      { ...image, artifactType: mediaType === '' ? 'a b' : mediaType },
      { ...index, manifests: [entry] },
      index,
    ].map((value): [string, () => unknown, string] => [
      `${JSON.stringify(mediaType.slice(0, 30))} as a type within ${JSON.stringify(value).slice(0, 400)}`,
      () => parseManifest(bytesOf(value), undefined),
      'is not a media type',
    ]);
  }),
  [
    'more than 256 KiB of annotations on what refers to something',
    () => parseManifest(bytesOf({ ...image, subject: empty, annotations: { a: 'x'.repeat(256 * 1024) } }), undefined),
    'with a subject at most 262144',
  ],
])('%s is refused', (_name, parse, words) => {
  expect(parse).toThrow(words);
});

test('a text in a string is no structure: brackets, quotes and repeated words in values are fine', () => {
  expect(reasonFor({ ...image, annotations: { a: '{"a":1,"a":2}[[[', b: '\\"a\\":' } })).toBe('accepted');
});

test("the artifact type is the config's media type unless it is stated", () => {
  expect(parseManifest(bytesOf(image), undefined).artifactType).toBe(empty.mediaType);
  expect(parseManifest(bytesOf({ ...image, artifactType: 'application/x.sbom' }), undefined).artifactType).toBe(
    'application/x.sbom',
  );
});

test.each([
  'application/vnd.example.config',
  'application/vnd.example.manifest.v1+json',
  'application/json',
  'Application/JSON',
])('a manifest may be of the type %s', (mediaType) => {
  expect(parseManifest(bytesOf({ ...image, mediaType }), undefined).mediaType).toBe(mediaType);
});

test("null stands for what is not there, as for Go's decoders", () => {
  const value = {
    ...image,
    subject: null,
    manifests: null,
    artifactType: null,
    annotations: { kept: 'x', empty: null },
    config: { ...empty, data: null, annotations: null },
    layers: [{ ...empty, annotations: { a: null }, urls: null, platform: null }],
  };
  const { annotations, blobs, subject } = parseManifest(bytesOf(value), undefined);
  expect({ annotations, blobs: blobs.length, subject }).toEqual({
    annotations: { kept: 'x', empty: '' },
    blobs: 2,
    subject: undefined,
  });
  expect(reasonFor({ ...image, annotations: { a: 1 } })).toContain('is not a string');
  expect(reasonFor({ ...image, config: null })).toContain('needs a config');
});

test('what came in under other rules can still be read, and is served as a type that is safe to send', () => {
  for (const mediaType of ['text/html', 'a\r\nb: c', '文書', 'x'.repeat(1000)]) {
    expect(readManifest(bytesOf({ ...image, mediaType }), mediaType).blobs).toHaveLength(2);
    expect(servedAs(mediaType)).toBe('application/octet-stream');
  }
  expect(servedAs(mediaTypes.dockerList)).toBe(mediaTypes.dockerList);
});
