import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface SampleImage {
  /** An OCI image layout with one entry of this name, `latest`. */
  readonly folder: string;
  /** Of the index. */
  readonly digest: string;
  /** Of the images it lists, by architecture. */
  readonly manifests: Readonly<Record<string, string>>;
  /** Of the layer that both images share. */
  readonly shared: string;
}

const type = (name: string): string => `application/vnd.oci.image.${name}`;
const hexOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Makes an image for two architectures: a layer of `size` random bytes that both have, and a small one for each. */
export function makeSampleImage(folder: string, size = 300_000): SampleImage {
  mkdirSync(join(folder, 'blobs', 'sha256'), { recursive: true });
  const write = (bytes: Buffer, mediaType: string): Descriptor => {
    const hex = hexOf(bytes);
    writeFileSync(join(folder, 'blobs', 'sha256', hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const json = (value: unknown, mediaType: string): Descriptor => write(Buffer.from(JSON.stringify(value)), mediaType);
  const layer = (name: string, content: Buffer) => {
    const tar = tarOf(name, content);
    return { diff: `sha256:${hexOf(tar)}`, descriptor: write(gzipSync(tar), type('layer.v1.tar+gzip')) };
  };
  const shared = layer('content', randomBytes(size));
  const manifests = ['amd64', 'arm64'].map((architecture) => {
    const own = layer('architecture', Buffer.from(architecture));
    const rootfs = { type: 'layers', diff_ids: [shared.diff, own.diff] };
    const config = json({ architecture, os: 'linux', config: {}, rootfs }, type('config.v1+json'));
    const mediaType = type('manifest.v1+json');
    const layers = [shared.descriptor, own.descriptor];
    return {
      ...json({ schemaVersion: 2, mediaType, config, layers }, mediaType),
      platform: { os: 'linux', architecture },
    };
  });
  const mediaType = type('index.v1+json');
  const index = json({ schemaVersion: 2, mediaType, manifests }, mediaType);
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const entry = { ...index, annotations: { 'org.opencontainers.image.ref.name': 'latest' } };
  writeFileSync(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
  return {
    folder,
    digest: index.digest,
    manifests: Object.fromEntries(manifests.map(({ platform, digest }) => [platform.architecture, digest])),
    shared: shared.descriptor.digest,
  };
}

/** An archive of one file. */
export function tarOf(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  const octal = (value: number, at: number, width: number): void => {
    header.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at);
  };
  for (const [value, at, width] of [
    [0o644, 100, 8],
    [0, 108, 8],
    [0, 116, 8],
    [content.length, 124, 12],
    [0, 136, 12],
  ] as const)
    octal(value, at, width);
  header.write('        0', 148);
  header.write('ustar\x0000', 257);
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512), Buffer.alloc(1024)]);
}

/** The blobs of an image layout by digest; each is what its name says. @throws Error where one is not */
export function blobsOf(folder: string): string[] {
  const names = readdirSync(join(folder, 'blobs', 'sha256')).toSorted();
  for (const name of names) {
    if (hexOf(readFileSync(join(folder, 'blobs', 'sha256', name))) !== name) throw new Error(`${name} has other bytes`);
  }
  return names;
}
