import { compileWildcard } from '../images/index.ts';
import type { LifecycleRule, Selection, StorageClass } from './policy.ts';

/** An image as rules see it. Times are milliseconds since the epoch. */
export interface LifecycleImage {
  readonly digest: string;
  readonly tags: readonly string[];
  readonly pushedAt: number;
  readonly lastPulledAt?: number;
  readonly storageClass: StorageClass;
  /** When it came back from the archive last. */
  readonly activatedAt?: number;
  readonly archivedAt?: number;
  /** Whether an index that is there lists it. */
  readonly listed: boolean;
}

export interface Verdict<Image extends LifecycleImage = LifecycleImage> {
  readonly image: Image;
  readonly action: 'expire' | 'transition';
  /** Of the rule that decided. */
  readonly priority: number;
}

const day = 86_400_000;

/**
 * What a lifecycle policy does to a repository's images, and by which rule. Pure.
 *
 * Rules are looked at in the order of priority. An image that matches a rule's tags is that rule's business alone, whether the
 * rule acts on it or not; later rules still count it. What an index lists is left alone until the index is gone.
 */
export function evaluate<Image extends LifecycleImage>(
  rules: readonly LifecycleRule[],
  images: readonly Image[],
  now: number,
): readonly Verdict<Image>[] {
  const verdicts: Verdict<Image>[] = [];
  for (const storageClass of ['standard', 'archive'] as const) {
    // Newest first; equal times in the order of digests, so that the outcome never depends on the order of a list.
    const ofClass = images
      .filter((image) => image.storageClass === storageClass)
      .toSorted((a, b) => since(b) - since(a) || (a.digest < b.digest ? -1 : 1));
    const taken = new Set<Image>();
    for (const rule of rules.filter((candidate) => candidate.storageClass === storageClass)) {
      const matches = matcherOf(rule.selection);
      const matched = ofClass.filter((image) => matches(image.tags));
      for (const image of selected(rule, matched, now)) {
        if (!taken.has(image) && !image.listed) verdicts.push({ image, action: rule.action, priority: rule.priority });
      }
      for (const image of matched) taken.add(image);
    }
  }
  return verdicts;
}

/** What of the matched images, newest first, the rule's count picks out. */
function selected<Image extends LifecycleImage>(
  rule: LifecycleRule,
  matched: readonly Image[],
  now: number,
): readonly Image[] {
  const older = (time: (image: Image) => number): readonly Image[] =>
    matched.filter((image) => now - time(image) > rule.count * day);
  switch (rule.countType) {
    case 'imageCountMoreThan':
      return matched.slice(rule.count);
    case 'sinceImagePushed':
      return older(since);
    case 'sinceImagePulled':
      return older((image) => image.lastPulledAt ?? since(image));
    case 'sinceImageTransitioned':
      return older((image) => image.archivedAt ?? now);
  }
}

/** When an image came: by its push, or later by its return from the archive. */
const since = (image: LifecycleImage): number => image.activatedAt ?? image.pushedAt;

function matcherOf(selection: Selection): (tags: readonly string[]) => boolean {
  switch (selection.tagStatus) {
    case 'any':
      return () => true;
    case 'untagged':
      return (tags) => tags.length === 0;
    case 'tagged': {
      const fits = selection.entries.map((entry) =>
        selection.form === 'prefix' ? (tag: string) => tag.startsWith(entry) : compileWildcard(entry),
      );
      return (tags) => fits.every((fit) => tags.some(fit));
    }
  }
}
