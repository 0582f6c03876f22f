import { textGlob } from '@slipway/auth/policy';
import gt from 'semver/functions/gt.js';
import satisfies from 'semver/functions/satisfies.js';
import valid from 'semver/functions/valid.js';

import type { ImageResolver, OwnHost } from '../control/index.ts';
import { effectiveTag, type ImageReference, parseImageReference, pinned, sameRepository } from '../references/index.ts';
import { primaryOf } from '../services/index.ts';
import type { FollowRule, ServiceRecord, TaskDefinitionRecord } from '../state/index.ts';
import { bodyOf, containersOf } from '../tasks/index.ts';

/** A tag of a repository of this installation. */
export interface KnownTag {
  readonly tag: string;
  /** Milliseconds since the epoch. */
  readonly pushedAt: number;
}

/** The registry, as far as following needs it. */
export interface FollowedImages extends ImageResolver {
  /** All tags of a repository. Without it, services that follow a pattern or a semver range are rolled by push events alone. */
  tags?(account: string, repository: string): AsyncIterable<KnownTag>;
  /** Why an image must not be rolled out (findings of its scan); asked before a service moves to it. Without it nothing is refused. */
  refusal?(account: string, repository: string, digest: string): Promise<{ readonly reason: string } | undefined>;
}

/** A container that should run another image than its service's newest deployment gives it. */
export interface WantedImage {
  readonly container: string;
  readonly repository: string;
  readonly tag: string;
  /** `sha256:…` */
  readonly digest: string;
  /** The whole reference, pinned. */
  readonly image: string;
}

/** What a service runs and from what it was pinned. */
export interface Followed {
  readonly account: string;
  readonly service: ServiceRecord;
  /** The revision of the PRIMARY deployment. */
  readonly definition: TaskDefinitionRecord;
  /** The revision that was written by a person, when `definition` was pinned from it. */
  readonly origin: TaskDefinitionRecord | undefined;
}

/**
 * Compares what the service follows with what its newest deployment runs, container by container. The registry's present
 * answer decides, never an event's contents: late and repeated events find nothing to do.
 * @param hint a tag that has just been pushed; it needs no list of tags to be found
 */
export async function wantedImages(
  followed: Followed,
  ports: { readonly images: FollowedImages; readonly ownHost: OwnHost },
  hint?: { readonly repository: string; readonly tag: string },
): Promise<readonly WantedImage[]> {
  const { account, service, definition } = followed;
  const rule = service.follow;
  const primary = primaryOf(service);
  if (rule === undefined || primary === undefined) return [];
  const wanted: WantedImage[] = [];
  for (const container of containersOf(bodyOf(definition))) {
    const name = container.name ?? '';
    const reference = followedReference(followed, name, container.image ?? '');
    if (reference?.host === undefined || !ports.ownHost(reference.host)) continue;
    if (hint !== undefined && hint.repository !== reference.repository) continue;
    // The leader has not resolved the deployment's images yet, and will resolve them to what is there then.
    if (primary.images === undefined && hint === undefined && reference.digest === undefined) continue;
    const tag = await chooseTag(account, reference, rule, ports.images, hint?.tag);
    const digest = tag === undefined ? undefined : await ports.images.resolve(account, reference.repository, tag);
    const runs = parseImageReference(primary.images?.[name] ?? '')?.digest ?? reference.digest;
    if (tag === undefined || digest === undefined || digest === runs) continue;
    wanted.push({
      container: name,
      repository: reference.repository,
      tag,
      digest,
      image: pinned(reference, digest, tag),
    });
  }
  return wanted;
}

/** The container's reference with the tag it follows: its own, or the one its origin named when it was pinned without. */
function followedReference({ origin }: Followed, name: string, image: string): ImageReference | undefined {
  const reference = parseImageReference(image);
  if (reference === undefined || effectiveTag(reference) !== undefined || origin === undefined) return reference;
  const source = containersOf(bodyOf(origin)).find((container) => container.name === name)?.image;
  const before = parseImageReference(source ?? '');
  const tag = before !== undefined && sameRepository(before, reference) ? effectiveTag(before) : undefined;
  return tag === undefined ? reference : { ...reference, tag };
}

async function chooseTag(
  account: string,
  reference: ImageReference,
  rule: FollowRule,
  images: FollowedImages,
  pushed: string | undefined,
): Promise<string | undefined> {
  const current = effectiveTag(reference);
  switch (rule.mode) {
    case 'tags':
      return current;
    case 'pattern':
      return newestMatch(await candidates(account, reference, images, pushed), rule.pattern) ?? current;
    case 'semver':
      return highestVersion(await candidates(account, reference, images, pushed), rule.range) ?? current;
  }
}

/** Every tag there is to choose from; without a list, the one that was pushed and the one in use. */
async function candidates(
  account: string,
  reference: ImageReference,
  images: FollowedImages,
  pushed: string | undefined,
): Promise<readonly KnownTag[]> {
  if (images.tags !== undefined) {
    const all: KnownTag[] = [];
    for await (const tag of images.tags(account, reference.repository)) all.push(tag);
    return all;
  }
  const current = effectiveTag(reference);
  return [
    ...(current === undefined ? [] : [{ tag: current, pushedAt: 0 }]),
    ...(pushed === undefined ? [] : [{ tag: pushed, pushedAt: 1 }]),
  ];
}

/** Of the tags that match a glob the one pushed last. */
export function newestMatch(tags: readonly KnownTag[], pattern: string): string | undefined {
  const matches = textGlob(pattern);
  return tags
    .filter(({ tag }) => matches(tag))
    .reduce<KnownTag | undefined>(
      (best, one) => (best === undefined || one.pushedAt >= best.pushedAt ? one : best),
      undefined,
    )?.tag;
}

/** Of the tags that are versions in the range (`v1.2.3` is one) the highest. */
export function highestVersion(tags: readonly KnownTag[], range: string): string | undefined {
  return tags
    .filter(({ tag }) => valid(tag) !== null && satisfies(tag, range))
    .reduce<string | undefined>((best, { tag }) => (best === undefined || gt(tag, best) ? tag : best), undefined);
}
