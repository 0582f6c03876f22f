import { createSigning, type Signing, storedKeys } from '@slipway/auth/kit';
import { type Blobs, createBlobs } from './blobs.ts';
import { type ImagesPorts, portsOf, type ImagesOptions } from './ports.ts';
import { keys, registryPartition } from './keys.ts';
import { createManifests, type FoundManifest, type Manifests } from './manifests.ts';
import { parseReference } from './names.ts';
import { createPulls, type Pulls } from './pulls.ts';
import { createRepositories, type Repositories } from './repositories.ts';
import { createUploads, type Uploads } from './uploads.ts';

/** The registry's domain: what every client API works on. */
export interface Images {
  readonly repositories: Repositories;
  readonly manifests: Manifests;
  readonly blobs: Blobs;
  readonly uploads: Uploads;
  readonly pulls: Pulls;
  readonly signing: Signing;
  /** What a tag or digest is now; undefined when there is no such image, or the reference is not well formed. */
  resolve(account: string, repository: string, reference: string): Promise<FoundManifest | undefined>;
  /** For the rooms beside this one (collector, lifecycle), which work on the same records. */
  readonly ports: ImagesPorts;
}

/** Opens the registry over its stores. It owns nothing that must be closed; call `pulls.flush()` before the stores close. */
export function openImages(options: ImagesOptions): Images {
  const ports = portsOf(options);
  const manifests = createManifests(ports);
  return {
    repositories: createRepositories(ports),
    manifests,
    blobs: createBlobs(ports),
    uploads: createUploads(ports),
    pulls: createPulls(ports),
    signing: createSigning(
      storedKeys(ports.records, ports.random, { partition: registryPartition, key: keys.signingKey }),
    ),
    async resolve(account, repository, reference) {
      const parsed = safely(() => parseReference(reference));
      const manifest = parsed && (await manifests.look(account, repository, parsed)).manifest;
      // What is archived cannot be pulled, so for whoever deploys images it is not there.
      return manifest?.archived ? undefined : manifest;
    },
    ports,
  };
}

const safely = <T>(parse: () => T): T | undefined => {
  try {
    return parse();
  } catch {
    return undefined;
  }
};
