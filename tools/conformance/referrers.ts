import type { Descriptor } from './data-set.ts';
import type { Result } from './results.ts';
import type { Suite } from './suite.ts';

export const referrersPath = (repository: string, digest: string, artifactType?: string): string =>
  `/v2/${repository}/referrers/${digest}${artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`}`;

/** What refers to each subject must be listed with its type and annotations, also when only one type is asked for. */
export const checkReferrers = (
  suite: Suite,
  parent: Result,
  repository: string,
  expected: ReadonlyMap<string, readonly Descriptor[]>,
): Promise<boolean> =>
  suite.run(parent, 'referrers', {
    rows: ['Referrers'],
    check: async (check) => {
      for (const [subject, referrers] of expected) {
        const all = await suite.ask('GET', referrersPath(repository, subject));
        const listed = check.descriptors(all);
        if (listed !== undefined)
          for (const referrer of referrers)
            if (!listed.some((entry) => describes(entry, referrer)))
              check.fail(`${all.what}: there is no ${JSON.stringify(referrer)}`);
        for (const type of new Set(referrers.flatMap(({ artifactType = [] }) => artifactType))) {
          const answer = await suite.ask('GET', referrersPath(repository, subject, type));
          const found = check.descriptors(answer);
          if (found === undefined) continue;
          const applied = (answer.headers['oci-filters-applied'] ?? [])
            .flatMap((line) => line.split(','))
            .some((filter) => filter.trim() === 'artifactType');
          if (!applied)
            check.unsupported(`${answer.what}: OCI-Filters-Applied does not say that artifactType was looked at`);
          for (const referrer of referrers)
            if ((!applied || referrer.artifactType === type) && !found.some((entry) => describes(entry, referrer)))
              check.fail(`${answer.what}: there is no ${JSON.stringify(referrer)}`);
          for (const entry of found)
            if (applied && entry['artifactType'] !== type)
              check.fail(`${answer.what}: lists a referrer of type '${String(entry['artifactType'])}'`);
        }
      }
    },
  });

/** Whether an entry of a list is this referrer. It may say more than is known here. */
function describes(entry: Readonly<Record<string, unknown>>, referrer: Descriptor): boolean {
  const annotations = Object(entry['annotations'] ?? {}) as Record<string, unknown>;
  return (
    (['digest', 'mediaType', 'size', 'artifactType'] as const).every((field) => entry[field] === referrer[field]) &&
    Object.entries(referrer.annotations ?? {}).every(([name, value]) => annotations[name] === value)
  );
}
