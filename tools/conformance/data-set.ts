import { randomBytes, randomUUID } from 'node:crypto';
import { type Algorithm, digestOf } from './digest.ts';
import { makeLayer } from './layer.ts';
import { types } from './media-types.ts';

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly data?: string;
  readonly urls?: readonly string[];
  readonly platform?: Platform;
}

export interface Platform {
  readonly os: string;
  readonly architecture: string;
}

export interface ManifestData {
  readonly digest: string;
  readonly mediaType: string;
  readonly bytes: Buffer;
  readonly subject?: string;
  /** The bytes were changed after the digest was taken: a registry must not take them. */
  readonly spoiled?: boolean;
}

/** What is common to all that an image, or an index with its images, is made of. */
export interface ContentOptions {
  /** Default sha256. */
  readonly algorithm?: Algorithm;
  readonly tag?: string;
  readonly artifactType?: string;
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Descriptors carry what they describe in `data`. */
  readonly inline?: boolean;
  /** Manifests and configurations have a field that no specification knows. */
  readonly unknownField?: boolean;
  readonly platform?: Platform;
  /** Default: a configuration and two gzipped layers of an ordinary image. */
  readonly payload?: Payload;
}

export type Payload =
  | { readonly kind: 'image'; readonly layers: number; readonly compressed: boolean }
  /** The empty configuration and one layer of a type of its own: random bytes, or the empty object as well. */
  | { readonly kind: 'artifact'; readonly layerType: string; readonly layer?: Buffer };

interface Layer {
  readonly descriptor: Descriptor;
  /** The digest of the archive before it was compressed. */
  readonly diffId: string;
}

export const twoPlatforms: readonly Platform[] = [
  { os: 'linux', architecture: 'amd64' },
  { os: 'linux', architecture: 'arm64' },
];

export const emptyObject = Buffer.from('{}');

/** Some content and how it belongs together: what is pushed, and what has to come back. */
export class DataSet {
  /** By digest. */
  readonly blobs = new Map<string, Buffer>();
  /** In the order in which they can be pushed: what an index lists comes before it. */
  readonly manifests: ManifestData[] = [];
  /** The digest that each tag names. */
  readonly tags = new Map<string, string>();
  /** By the subject's digest: what the referrers list has to have. */
  readonly referrers = new Map<string, Descriptor[]>();
  /** Tags are pushed beside the digest, in `?tag=`. */
  readonly tagParameters: boolean;
  readonly #bases = new Map<string, Layer>();

  constructor({ tagParameters = false } = {}) {
    this.tagParameters = tagParameters;
  }

  addBlob(bytes: Buffer, mediaType: string = types.bytes, options: ContentOptions = {}): Descriptor {
    const digest = digestOf(bytes, options.algorithm);
    this.blobs.set(digest, bytes);
    const descriptor = { mediaType, digest, size: bytes.length };
    return options.inline ? { ...descriptor, data: bytes.toString('base64') } : descriptor;
  }

  /** Makes an image or an artifact with all its blobs. Images of one platform have their first layer in common. */
  addImage(options: ContentOptions = {}): Descriptor {
    const { platform = { os: 'linux', architecture: 'amd64' } } = options;
    const payload = options.payload ?? { kind: 'image', layers: 2, compressed: true };
    if (payload.kind === 'artifact') {
      const layer = this.addBlob(payload.layer ?? randomBytes(2048), payload.layerType, options);
      return this.addManifest(this.addBlob(emptyObject, types.empty, options), [layer], options);
    }
    const layers = Array.from({ length: payload.layers }, (_, at) => {
      const shared = at === 0 ? this.#bases.get(platform.architecture) : undefined;
      return shared ?? this.addLayer(payload.compressed, options);
    });
    if (layers[0]) this.#bases.set(platform.architecture, layers[0]);
    const config = this.addConfig(
      layers.map(({ diffId }) => diffId),
      platform,
      options,
    );
    return this.addManifest(
      config,
      layers.map(({ descriptor }) => descriptor),
      options,
    );
  }

  addLayer(compressed: boolean, options: ContentOptions = {}): Layer {
    const { archive, stored } = makeLayer(compressed);
    const descriptor = this.addBlob(stored, compressed ? types.layerGzip : types.layer, options);
    return { descriptor, diffId: digestOf(archive, options.algorithm) };
  }

  addConfig(diffIds: readonly string[], platform: Platform, options: ContentOptions = {}): Descriptor {
    const config = {
      ...platform,
      config: { Labels: { 'org.example.image': randomUUID() } },
      rootfs: { type: 'layers', diff_ids: diffIds },
    };
    return this.addBlob(serialize(config, options), types.config, options);
  }

  addManifest(config: Descriptor, layers: readonly Descriptor[], options: ContentOptions = {}): Descriptor {
    return this.#add(types.image, { config, layers }, options.artifactType ?? config.mediaType, options);
  }

  addIndex(manifests: readonly Descriptor[], options: ContentOptions = {}): Descriptor {
    return this.#add(types.index, { manifests }, options.artifactType, options);
  }

  /** An index of one image for each platform. All options but the tag hold for the images too. */
  addMultiPlatform(options: ContentOptions = {}, platforms = twoPlatforms): Descriptor {
    const { tag: _, ...inner } = options;
    const images = platforms.map((platform) => ({ ...this.addImage({ ...inner, platform }), platform }));
    return this.addIndex(images, options);
  }

  /** Adds white space to the manifest that was made last, so that its digest is wrong. */
  spoilLast(): void {
    const last = this.manifests.pop();
    if (last) this.manifests.push({ ...last, bytes: Buffer.concat([last.bytes, Buffer.from('\n\n')]), spoiled: true });
  }

  #add(
    mediaType: string,
    parts: object,
    listedType: string | undefined,
    { subject, artifactType, annotations, tag, ...options }: ContentOptions,
  ): Descriptor {
    const { mediaType: type, digest: to, size: length } = subject ?? {};
    const document = {
      schemaVersion: 2,
      mediaType,
      ...(artifactType === undefined ? {} : { artifactType }),
      ...parts,
      ...(subject === undefined ? {} : { subject: { mediaType: type, digest: to, size: length } }),
      ...(annotations === undefined ? {} : { annotations }),
    };
    const bytes = serialize(document, options);
    const digest = digestOf(bytes, options.algorithm);
    const descriptor: Descriptor = { mediaType, digest, size: bytes.length };
    this.manifests.push({ digest, mediaType, bytes, ...(subject === undefined ? {} : { subject: subject.digest }) });
    if (tag !== undefined) this.tags.set(tag, digest);
    if (subject !== undefined) {
      const listed = {
        ...descriptor,
        ...(listedType === undefined ? {} : { artifactType: listedType }),
        ...(annotations === undefined ? {} : { annotations }),
      };
      this.referrers.set(subject.digest, [...(this.referrers.get(subject.digest) ?? []), listed]);
    }
    return descriptor;
  }
}

function serialize(document: object, { unknownField }: ContentOptions): Buffer {
  const more = unknownField ? { [`org.example.${randomUUID()}`]: randomUUID() } : {};
  return Buffer.from(JSON.stringify({ ...document, ...more }));
}
