import { effectiveTag, parseImageReference, withoutTag } from '../references/index.ts';
import { bodyOf, containersOf } from '../tasks/index.ts';

import type { Definitions } from './definitions.ts';
import type { ImageResolver, OwnHost } from './images.ts';
import type { ClusterView } from '../views/index.ts';

/** An image of this installation that must not be deleted, and why. */
export interface ImageInUse {
  readonly repository: string;
  /** `sha256:…` */
  readonly digest: string;
  /** For people: `task <id>`, `service <cluster>/<name> deployment <id>`. */
  readonly usedBy: string;
}

/**
 * The images of this installation that tasks run or that a service may go back to: of tasks that are not STOPPED, and of
 * every deployment that a service still keeps (the PRIMARY, those being replaced, the newest completed for rollback).
 * An image named by tag alone counts under what the tag points to now.
 */
export async function imagesInUse(
  views: readonly ClusterView[],
  ports: { readonly definitions: Definitions; readonly images: ImageResolver; readonly ownHost: OwnHost },
): Promise<readonly ImageInUse[]> {
  const found = new Map<string, ImageInUse>();
  const note = async (account: string, image: string, usedBy: string): Promise<void> => {
    const reference = parseImageReference(image);
    if (reference?.host === undefined || !ports.ownHost(reference.host)) return;
    const { repository } = reference;
    const tag = effectiveTag(reference);
    const digest =
      reference.digest ?? (tag === undefined ? undefined : await ports.images.resolve(account, repository, tag));
    if (digest !== undefined && !found.has(`${repository}@${digest}`))
      found.set(`${repository}@${digest}`, { repository, digest, usedBy });
  };
  for (const view of views) {
    for (const { value: task } of view.tasks.values()) {
      if (task.lastStatus === 'STOPPED') continue;
      for (const { image, imageDigest } of task.containers) {
        await note(view.account, image, `task ${task.id}`);
        // The agent's word on what runs, for images that were started by tag.
        const reference = parseImageReference(image);
        if (imageDigest !== undefined && reference?.host !== undefined && ports.ownHost(reference.host))
          await note(view.account, `${withoutTag(reference)}@${imageDigest}`, `task ${task.id}`);
      }
    }
    for (const { value: service } of view.services.values()) {
      if (service.status === 'INACTIVE') continue;
      for (const deployment of service.deployments) {
        const usedBy = `service ${view.name}/${service.name} deployment ${deployment.id}`;
        const definition = await ports.definitions.find(view.account, deployment.taskDefinition);
        for (const container of definition === undefined ? [] : containersOf(bodyOf(definition)))
          await note(view.account, deployment.images?.[container.name ?? ''] ?? container.image ?? '', usedBy);
      }
    }
  }
  return [...found.values()];
}
