import type { Result } from '../results.ts';
import type { Suite } from '../suite.ts';
import type { FurtherCase } from './case.ts';
import { errorCases } from './errors.ts';
import { manifestCases } from './manifests.ts';
import { referrerCases } from './referrers.ts';
import { tagCases } from './tags.ts';
import { uploadCases } from './uploads.ts';

const cases: readonly FurtherCase[] = [
  ...uploadCases,
  ...manifestCases,
  ...tagCases,
  ...referrerCases,
  ...errorCases,
  {
    name: 'warnings and waiting times of all answers',
    check: async (suite, check) => suite.manners.forEach((problem) => check.fail(problem)),
  },
];

/** What the specification says and the official suite does not ask. */
export async function checkFurther(suite: Suite, group: Result): Promise<void> {
  const [repository] = suite.settings.repositories;
  for (const { name, devOnly, check: run } of cases)
    if (suite.dev || devOnly !== true)
      await suite.run(group, name, { rows: [], check: (check) => run(suite, check, repository) });
}
