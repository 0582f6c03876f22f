import { bytesOf, type Condition, lower, type Rule } from '../../../routing/index.ts';

/** A table from texts of requests to the place of the first rule that they fit. */
export interface Table {
  /** What of a request is looked up: its host, its host with its path behind it, or its path. */
  readonly subject: string;
  /** The whole text, or the longest key that it begins with. */
  readonly match: 'str' | 'beg';
  readonly entries: ReadonlyMap<string, number>;
}

/** The rules that tables decide: those for hosts and paths that are named, paths also by what they begin with. The others are walked. */
export interface Tables {
  readonly decided: ReadonlySet<number>;
  readonly tables: readonly Table[];
}

const subjects = {
  host: 'var(txn.host)',
  // A host holds no slash and a path begins with one, so that the two are not taken for others.
  hostAndPath: 'var(txn.host),concat(,txn.path)',
  path: 'var(txn.path)',
} as const;

/** Sorts rules into tables; pure. */
export function tablesOf(rules: readonly Rule[]): Tables {
  const decided = new Set<number>();
  const entries = new Map<string, Map<string, number>>();
  for (const [place, { conditions }] of rules.entries()) {
    const keys = keysOf(conditions);
    if (keys === undefined) continue;
    decided.add(place);
    for (const { subject, match, key } of keys) {
      const table = entries.getOrInsertComputed(`${subject} ${match}`, () => new Map<string, number>());
      if (!table.has(key)) table.set(key, place);
    }
  }
  const tables = (Object.keys(subjects) as (keyof typeof subjects)[]).flatMap((subject) =>
    (['str', 'beg'] as const).flatMap((match): Table[] => {
      const found = entries.get(`${subject} ${match}`);
      if (found === undefined) return [];
      return [{ subject: subjects[subject], match, entries: match === 'beg' ? closed(found) : found }];
    }),
  );
  return { decided, tables };
}

interface Key {
  readonly subject: keyof typeof subjects;
  readonly match: Table['match'];
  readonly key: string;
}

/** The keys of a rule, any of which is enough; undefined for one that no table decides. */
function keysOf(conditions: readonly Condition[]): readonly Key[] | undefined {
  let hosts: readonly string[] | undefined;
  let paths: readonly string[] | undefined;
  for (const condition of conditions) {
    if (condition.kind === 'host-header' && hosts === undefined && isNamed(condition, /^[A-Za-z0-9._-]+$/))
      hosts = condition.values.map((value) => lower(bytesOf(value)));
    else if (condition.kind === 'path-pattern' && paths === undefined && isNamed(condition, /^\/[A-Za-z0-9._/-]*\*?$/))
      paths = condition.values;
    else return undefined;
  }
  if (paths === undefined) return hosts?.map((key) => ({ subject: 'host', match: 'str', key }));
  const subject = hosts === undefined ? 'path' : 'hostAndPath';
  return (hosts ?? ['']).flatMap((host) =>
    paths.map((path) => ({
      subject,
      match: path.endsWith('*') ? 'beg' : 'str',
      key: `${host}${path.endsWith('*') ? path.slice(0, -1) : path}`,
    })),
  );
}

function isNamed(
  { values, regexValues }: { readonly values: readonly string[]; readonly regexValues: readonly string[] },
  form: RegExp,
): boolean {
  return regexValues.length === 0 && values.every((value) => form.test(value));
}

/** Lets every key stand for the first rule of all keys that it begins with: a text fits them too, and is looked up by the longest. */
function closed(entries: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  return new Map(
    [...entries].map(([key, place]) => {
      let first = place;
      for (let length = 1; length < key.length; length++)
        first = Math.min(first, entries.get(key.slice(0, length)) ?? first);
      return [key, first];
    }),
  );
}
