import type { RepositoryRecord, TagExclusion } from './records.ts';

/** Whether a tag of the repository, once set, may be moved to another image. Filters turn the repository's rule round. */
export function isMovable(repository: Pick<RepositoryRecord, 'tagMutability' | 'tagExclusions'>, tag: string): boolean {
  const excluded = (repository.tagExclusions ?? []).some((exclusion) => matchesFilter(exclusion, tag));
  switch (repository.tagMutability) {
    case 'MUTABLE':
      return true;
    case 'IMMUTABLE':
      return false;
    case 'MUTABLE_WITH_EXCLUSION':
      return !excluded;
    case 'IMMUTABLE_WITH_EXCLUSION':
      return excluded;
  }
}

const matchesFilter = (exclusion: TagExclusion, tag: string): boolean => matchesWildcard(exclusion.filter, tag);

/** Whether `text` as a whole matches `pattern`, in which `*` stands for any run of characters. */
export const matchesWildcard = (pattern: string, text: string): boolean => compileWildcard(pattern)(text);

/** As {@link matchesWildcard}, for a pattern that is used often. Linear in the text: there is no backtracking over several stars. */
export function compileWildcard(pattern: string): (text: string) => boolean {
  const parts = pattern.split('*');
  if (parts.length === 1) return (text) => text === pattern;
  const first = parts[0] as string;
  const last = parts.at(-1) as string;
  const middle = parts.slice(1, -1).filter((part) => part !== '');
  if (middle.length === 0 && last === '') return (text) => text.startsWith(first);
  return (text) => {
    if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
    let from = first.length;
    const end = text.length - last.length;
    for (const part of middle) {
      const at = text.indexOf(part, from);
      if (at < 0 || at + part.length > end) return false;
      from = at + part.length;
    }
    return true;
  };
}
