import { CreateRepositoryCommand, type ECRClient, PutImageCommand } from '@aws-sdk/client-ecr';
import { mediaTypes } from '../images/index.ts';
import { sha256 } from '../images/testing/index.ts';
import { loggedIn } from './docker-client.ts';
import type { ServedRegistry } from './serve-registry.ts';

/** Pushes a small image made of a seed, into a repository that is made when it is not there. Returns its digest. */
export async function pushImage(
  to: ServedRegistry,
  client: ECRClient,
  repositoryName: string,
  seed: string,
  imageTag?: string,
): Promise<string> {
  await client.send(new CreateRepositoryCommand({ repositoryName })).catch((error: Error) => {
    if (error.name !== 'RepositoryAlreadyExistsException') throw error;
  });
  const http = await loggedIn(to);
  const config = Buffer.from(JSON.stringify({ seed }));
  const digest = sha256(config);
  const put = await http('POST', `/v2/${repositoryName}/blobs/uploads/?digest=${digest}`, { body: config });
  if (put.status !== 201) throw new Error(`the blob was not taken: ${put.status} ${await put.text()}`);
  const imageManifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: config.length },
    layers: [],
  });
  const { image } = await client.send(new PutImageCommand({ repositoryName, imageManifest, imageTag }));
  return image?.imageId?.imageDigest ?? '';
}

/** Waits until something holds; fails after a minute with what was seen last. */
export async function eventually<T>(look: () => Promise<T>, holds: (seen: T) => boolean): Promise<T> {
  const end = Date.now() + 60_000;
  for (;;) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (Date.now() > end) throw new Error(`still ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
