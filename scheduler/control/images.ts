import type { Log } from '@slipway/auth/contract';
import { effectiveTag, parseImageReference, pinned } from '../references/index.ts';
import type { DeploymentRecord, TaskDefinitionRecord, TaskRecord } from '../state/index.ts';
import { bodyOf, containersOf } from '../tasks/index.ts';

/** Looks up what a tag of this installation's registry points to now. */
export interface ImageResolver {
  /** The digest (`sha256:…`), or undefined when there is no such repository or tag. */
  resolve(account: string, repository: string, tag: string): Promise<string | undefined>;
}

/** Whether a host in an image reference is this installation's registry. */
export type OwnHost = (host: string) => boolean;

/**
 * The references a deployment runs, container by container, for images of this installation that are named by tag:
 * resolved once when the deployment begins, so that all its tasks, and a rollback to it, run the same bytes
 * (ECS: `versionConsistency`). A container that disables it, or whose tag does not resolve, runs what its definition says.
 */
export async function pinImages(
  account: string,
  definition: TaskDefinitionRecord,
  ports: { readonly images: ImageResolver; readonly ownHost: OwnHost; readonly log: Log },
): Promise<Readonly<Record<string, string>>> {
  const pins: Record<string, string> = {};
  for (const container of containersOf(bodyOf(definition))) {
    const reference = parseImageReference(container.image ?? '');
    if (container.name === undefined || reference?.host === undefined) continue;
    if (reference.digest !== undefined || container.versionConsistency === 'disabled') continue;
    if (!ports.ownHost(reference.host)) continue;
    const digest = await ports.images
      .resolve(account, reference.repository, effectiveTag(reference) ?? 'latest')
      .catch((error: unknown) => {
        ports.log.warn({ image: container.image, err: error }, 'cannot resolve the image; its tag is used as it is');
        return undefined;
      });
    if (digest !== undefined) pins[container.name] = pinned(reference, digest);
  }
  return pins;
}

/**
 * The same for images of other registries, which are not asked: the digest that the deployment's first task was given
 * holds for those that come after it, as on ECS.
 * @param tasks of the service; asked for only while there is something to learn
 * @returns the deployment's pins with what its tasks have reported; the same object when that is nothing new
 */
export function learnPins(
  definition: TaskDefinitionRecord,
  deployment: DeploymentRecord,
  tasks: () => readonly TaskRecord[],
): Readonly<Record<string, string>> {
  const { images: pins = {} } = deployment;
  const learned: Record<string, string> = {};
  for (const { name = '', image = '', versionConsistency } of containersOf(bodyOf(definition))) {
    if (pins[name] !== undefined || versionConsistency === 'disabled') continue;
    const reference = parseImageReference(image);
    if (reference === undefined || reference.digest !== undefined) continue;
    let first: { readonly createdAt: number; readonly digest: string } | undefined;
    for (const { service, createdAt, containers } of tasks()) {
      if (service?.deploymentId !== deployment.id || (first !== undefined && first.createdAt <= createdAt)) continue;
      const digest = containers.find((container) => container.name === name && container.image === image)?.imageDigest;
      if (digest !== undefined) first = { createdAt, digest };
    }
    if (first !== undefined) learned[name] = pinned(reference, first.digest);
  }
  return Object.keys(learned).length === 0 ? pins : { ...pins, ...learned };
}
