/** One line of two texts compared: in both, only in the old one, or only in the new one. */
export interface Line {
  readonly kind: 'same' | 'old' | 'new';
  readonly text: string;
}

/** Lines that are compared at most; a task definition has some hundreds. */
const mostLines = 2000;

/** What changed from one text to another, line by line: the longest common subsequence stays. */
export function difference(before: readonly string[], after: readonly string[]): readonly Line[] {
  const [old, now] = [before.slice(0, mostLines), after.slice(0, mostLines)];
  // How long the common rest is, from each pair of places on.
  const width = now.length + 1;
  const common = new Uint16Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i--)
    for (let j = now.length - 1; j >= 0; j--)
      common[i * width + j] =
        old[i] === now[j]
          ? (common[(i + 1) * width + j + 1] ?? 0) + 1
          : Math.max(common[(i + 1) * width + j] ?? 0, common[i * width + j + 1] ?? 0);
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      lines.push({ kind: 'same', text: old[i] ?? '' });
      i++;
      j++;
    } else if (
      i < old.length &&
      (j >= now.length || (common[(i + 1) * width + j] ?? 0) >= (common[i * width + j + 1] ?? 0))
    )
      lines.push({ kind: 'old', text: old[i++] ?? '' });
    else lines.push({ kind: 'new', text: now[j++] ?? '' });
  }
  return lines;
}

/** Only what changed, with some lines around it; undefined stands where lines were left out. */
export function around(lines: readonly Line[], context = 2): readonly (Line | undefined)[] {
  const keep = lines.map((_, at) =>
    lines.slice(Math.max(0, at - context), at + context + 1).some(({ kind }) => kind !== 'same'),
  );
  return lines.flatMap((line, at): readonly (Line | undefined)[] =>
    keep[at] === true ? [line] : keep[at - 1] === true || at === 0 ? [undefined] : [],
  );
}

/** Members that say when and by whom a revision was made, not what it runs. */
const aside = new Set([
  'taskDefinitionArn',
  'revision',
  'registeredAt',
  'registeredBy',
  'deregisteredAt',
  'requiresAttributes',
  'compatibilities',
  'status',
]);

/** What a revision runs, as lines in an order that does not depend on who wrote it; values of variables stay out of sight. */
export function linesOf(definition: object | undefined): readonly string[] {
  const hidden = (key: string, value: unknown): unknown => {
    if (key === 'environment' && Array.isArray(value))
      return value.map(({ name, value: said = '' }: { name: string; value?: string }) => `${name} = ${masked(said)}`);
    return value;
  };
  const kept = Object.fromEntries(
    Object.entries(definition ?? {})
      .filter(([key]) => !aside.has(key))
      .toSorted(([a], [b]) => a.localeCompare(b)),
  );
  return JSON.stringify(kept, hidden, 2).split('\n');
}

/** A value that cannot be read here, and yet is another where it changed. */
function masked(value: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < value.length; i++) hash = Math.imul(hash ^ value.charCodeAt(i), 0x01000193) >>> 0;
  return value === '' ? '(empty)' : `(${value.length} characters, ${(hash % 0xffff).toString(16).padStart(4, '0')})`;
}
