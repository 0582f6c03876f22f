import { createHash } from 'node:crypto';
import type { Digest } from '@slipway/storage/blobs';
import type { Package } from '../advisories/index.ts';
import { digestOf, type Images, mediaTypes, parseRepositoryName } from '../images/index.ts';
import type { ImageAddress } from './scan-store.ts';
import type { ScanReport } from './scanners/scanner.ts';

/** What an artifact that holds a bill of materials is called (IANA, CycloneDX). */
export const sbomType = 'application/vnd.cyclonedx+json';
/** Who scans and stores bills of materials, as events and the audit line name it. */
export const scanActor = 'ecr.scanning';

/**
 * The bill of materials of an image, CycloneDX 1.6 as JSON. It is the same bytes for the same image and packages, so that storing
 * it again changes nothing. The library is loaded when it is first needed.
 */
export async function bomOf(
  image: Pick<ImageAddress, 'repository' | 'digest'>,
  inventory: NonNullable<ScanReport['inventory']>,
  timestamp: number,
): Promise<string> {
  const { Enums, Models, Serialize, Spec } = await import('@cyclonedx/cyclonedx-library');
  const purl = `pkg:oci/${encodeURIComponent(image.repository.split('/').at(-1) ?? '')}@${encodeURIComponent(image.digest)}`;
  const bom = new Models.Bom({
    serialNumber: serialOf(`${image.digest}\n${JSON.stringify(inventory)}`),
    metadata: new Models.Metadata({
      timestamp: new Date(timestamp),
      component: new Models.Component(Enums.ComponentType.Container, image.repository, {
        bomRef: purl,
        version: image.digest,
        purl,
      }),
    }),
  });
  const { distribution } = inventory;
  if (distribution) {
    bom.components.add(
      new Models.Component(Enums.ComponentType.OperatingSystem, distribution.id, {
        bomRef: `os:${distribution.id}`,
        version: distribution.version,
        description: distribution.prettyName,
      }),
    );
  }
  const refs = new Set<string>();
  for (const pack of inventory.packages) {
    const purl = purlOf(pack, distribution);
    const ref = pack.path === undefined ? purl : `${purl}#${pack.path}`;
    if (refs.has(ref)) continue;
    refs.add(ref);
    bom.components.add(
      new Models.Component(Enums.ComponentType.Library, pack.name, {
        bomRef: ref,
        version: pack.version,
        purl,
        ...(pack.path === undefined
          ? {}
          : { properties: new Models.PropertyRepository([new Models.Property('slipway:path', pack.path)]) }),
      }),
    );
  }
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  return serializer.serialize(bom, { sortLists: true });
}

/** The package's URL (purl specification): type, namespace, name, version, and what tells architectures and releases apart. */
export function purlOf(
  pack: Package,
  distribution: { readonly id: string; readonly version: string } | undefined,
): string {
  const system = pack.type === 'deb' || pack.type === 'apk' || pack.type === 'rpm';
  const parts = pack.type === 'maven' ? pack.name.split(':') : pack.name.split('/');
  const name = [...(system && distribution ? [distribution.id] : []), ...parts].map(encodeURIComponent).join('/');
  const qualifiers = [
    ...(pack.architecture ? [`arch=${encodeURIComponent(pack.architecture)}`] : []),
    ...(system && distribution ? [`distro=${encodeURIComponent(`${distribution.id}-${distribution.version}`)}`] : []),
  ];
  return `pkg:${pack.type}/${name}@${encodeURIComponent(pack.version)}${qualifiers.length > 0 ? `?${qualifiers.join('&')}` : ''}`;
}

/** A UUID made of what it names, in the form of version 8 (RFC 9562). */
function serialOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return `urn:uuid:${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Stores the bill of materials as a referrer of the image (OCI image specification 1.1, "Guidelines for Artifact Usage"). */
export async function storeBom(
  images: Images,
  image: ImageAddress,
  subject: { readonly mediaType: string; readonly size: number; readonly pushedAt: number },
  inventory: NonNullable<ScanReport['inventory']>,
): Promise<Digest> {
  const { account, digest } = image;
  const repository = parseRepositoryName(image.repository);
  const put = async (content: string, mediaType: string) => {
    const bytes = Buffer.from(content);
    const blob = digestOf(bytes);
    await images.uploads.whole(account, repository, blob, once(bytes));
    return { mediaType, digest: blob, size: bytes.length };
  };
  const config = await put('{}', 'application/vnd.oci.empty.v1+json');
  const layer = await put(await bomOf(image, inventory, subject.pushedAt), sbomType);
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: sbomType,
    config,
    layers: [layer],
    subject: { mediaType: subject.mediaType, digest, size: subject.size },
    annotations: { 'org.opencontainers.image.created': new Date(subject.pushedAt).toISOString() },
  };
  const stored = await images.manifests.put({
    account,
    repository,
    bytes: Buffer.from(JSON.stringify(manifest)),
    tags: [],
    actor: scanActor,
  });
  return stored.digest;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
