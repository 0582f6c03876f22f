import type { Check } from './check.ts';
import type { Answer } from './exchange.ts';
import type { Result } from './results.ts';
import type { Suite } from './suite.ts';

export const tagsPath = (repository: string, query = ''): string => `/v2/${repository}/tags/list${query}`;

/** The tags in an answer; none where the repository is not known. Undefined when it is no list. */
export function tagsOf(check: Check, answer: Answer): readonly string[] | undefined {
  if (answer.status === 404) return [];
  if (!check.status(answer, 200)) return undefined;
  const tags = check.object(answer)?.['tags'] ?? [];
  if (Array.isArray(tags) && tags.every((tag) => typeof tag === 'string')) return tags;
  check.fail(`${answer.what}: 'tags' is no list of strings`);
  return undefined;
}

/** The list must have the tags that were pushed; `last` must give those behind it and no others. */
export const checkTagList = (
  suite: Suite,
  parent: Result,
  repository: string,
  pushed: ReadonlyMap<string, string>,
): Promise<boolean> =>
  suite.run(parent, 'tag-list', {
    rows: ['Tag listing'],
    check: async (check) => {
      const answer = await suite.ask('GET', tagsPath(repository));
      const tags = tagsOf(check, answer);
      if (tags === undefined) return;
      for (const tag of pushed.keys()) if (!tags.includes(tag)) check.fail(`${answer.what}: '${tag}' is not listed`);
      if (tags.length < 2) return;
      const sorted = tags.toSorted();
      const middle = Math.floor(sorted.length / 2);
      const last = sorted[middle - 1] ?? '';
      const rest = await suite.ask('GET', tagsPath(repository, `?last=${encodeURIComponent(last)}`));
      const behind = tagsOf(check, rest);
      if (behind === undefined) return;
      for (const [at, tag] of sorted.entries())
        if (behind.includes(tag) !== at >= middle)
          check.fail(`${rest.what}: '${tag}' is ${at >= middle ? 'not ' : ''}listed`);
    },
  });
