import { createHash } from 'node:crypto';
import type { PushedEvent } from './soak-stores.ts';

/** Acknowledged pushes whose event is not in the log, or is there twice. A push that moved nothing has none. */
export function missingEvents(
  pushes: readonly PushedEvent[],
  acknowledged: readonly { readonly tag: string; readonly manifest: Buffer }[],
): string[] {
  const told = new Map<string, number>();
  for (const { tag, digest } of pushes) told.set(`${tag} ${digest}`, (told.get(`${tag} ${digest}`) ?? 0) + 1);
  return acknowledged.flatMap(({ tag, manifest }) => {
    const name = `${tag} sha256:${createHash('sha256').update(manifest).digest('hex')}`;
    const times = told.get(name) ?? 0;
    return times === 1 ? [] : [`${times} events for the push of ${name}`];
  });
}

/** Moves of a tag that do not begin where the move before them ended. */
export function brokenOrder(pushes: readonly PushedEvent[]): string[] {
  const at = new Map<string, string>();
  const broken: string[] = [];
  for (const { tag, digest, previous } of pushes) {
    const before = at.get(tag);
    if (before !== undefined && previous !== before)
      broken.push(`the tag ${tag} moved from ${previous ?? 'nowhere'}, but was at ${before}`);
    at.set(tag, digest);
  }
  return broken;
}
