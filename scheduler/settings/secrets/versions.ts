import { limitExceeded } from './errors.ts';
import type { SecretVersion } from './records.ts';

export const current = 'AWSCURRENT';
export const previous = 'AWSPREVIOUS';
export const pending = 'AWSPENDING';

/** Versions of a secret, about (Secrets Manager user guide, "Quotas"). */
export const mostVersions = 100;
/** Staging labels of all versions of a secret together (the same place); AWSPREVIOUS, which comes by itself, not counted. */
export const mostLabels = 20;
/** What has no label goes, but not within a day. Milliseconds. */
const keptFor = 86_400_000;

/**
 * Puts staging labels on a version, which take them from the others; what loses AWSCURRENT to it becomes AWSPREVIOUS.
 * @param stages what the version has besides what it had
 * @throws LimitExceededException when there are more than {@link mostLabels}
 */
export function label(versions: readonly SecretVersion[], id: string, stages: readonly string[]): SecretVersion[] {
  const before = versions.find((version) => version.stages.includes(current))?.id;
  const moves = stages.includes(current) && before !== undefined && before !== id;
  const labelled = versions.map((version) => {
    if (version.id === id)
      return {
        ...version,
        stages: [...new Set([...version.stages.filter((stage) => !(moves && stage === previous)), ...stages])],
      };
    const kept = version.stages.filter((stage) => !stages.includes(stage) && !(moves && stage === previous));
    return { ...version, stages: moves && version.id === before ? [...kept, previous] : kept };
  });
  const count = labelled.flatMap((version) => version.stages).filter((stage) => stage !== previous).length;
  if (count > mostLabels)
    throw limitExceeded(`The versions of a secret have at most ${mostLabels} staging labels together: take one off.`);
  return labelled;
}

/** Takes a staging label from a version. */
export const unlabel = (versions: readonly SecretVersion[], id: string, stage: string): SecretVersion[] =>
  versions.map((version) =>
    version.id === id ? { ...version, stages: version.stages.filter((one) => one !== stage) } : version,
  );

/**
 * Makes room for one more: of what has no label and is older than a day, the oldest goes.
 * @returns undefined when nothing may go
 */
export function makeRoom(
  versions: readonly SecretVersion[],
  now: number,
): { readonly kept: readonly SecretVersion[]; readonly gone: readonly string[] } | undefined {
  if (versions.length < mostVersions) return { kept: versions, gone: [] };
  const gone = versions
    .filter(({ stages, createdAt }) => stages.length === 0 && createdAt < now - keptFor)
    .slice(0, versions.length - mostVersions + 1)
    .map(({ id }) => id);
  const kept = versions.filter(({ id }) => !gone.includes(id));
  return kept.length < mostVersions ? { kept, gone } : undefined;
}
