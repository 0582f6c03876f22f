/** A kind of partition: how its names are made, and what one commit in it can change together. */
export interface PartitionKind<Pattern extends string = string> {
  /** `ecs/<account>/<cluster>`: what stands in angle brackets holds no `/`. */
  readonly pattern: Pattern;
  /** In words: `one cluster`. */
  readonly unit: string;
  /** The name for these parts, in the order of the pattern. */
  readonly name: (...parts: Parts<Pattern>) => string;
}

type Parts<Pattern extends string> = Pattern extends `${string}<${string}>${infer Rest}`
  ? [part: string, ...Parts<Rest>]
  : [];

/** Records that one room owns: it alone has their keys and types, and others go through it. */
export interface OwnedRows {
  readonly partition: Omit<PartitionKind, 'name'>;
  /** The room, e.g. `scheduler/state`. */
  readonly owner: string;
  /** Whole keys, and beginnings of keys, which end in `/` or `|`. */
  readonly keys: readonly string[];
}

/**
 * @example
 * const clusters = definePartition('ecs/<account>/<cluster>', 'one cluster');
 * clusters.name('000000000000', 'default'); // ecs/000000000000/default
 */
export function definePartition<const Pattern extends string>(pattern: Pattern, unit: string): PartitionKind<Pattern> {
  const [first = '', ...rest] = pattern.split(/<[^<>]*>/);
  return {
    pattern,
    unit,
    name: (...parts: string[]) => rest.reduce((name, text, index) => name + (parts[index] ?? '') + text, first),
  };
}

/**
 * What is wrong with a table of who owns what: a partition that two patterns mean, a key that two rooms claim, a name that belongs
 * to `storage`.
 * @returns one line per problem; empty when all is well
 */
export function checkLayout(rows: readonly OwnedRows[]): string[] {
  const problems: string[] = [];
  for (const [index, one] of rows.entries()) {
    const { pattern } = one.partition;
    const reserved = [pattern, ...one.keys].filter((name) => name.startsWith('$') && !one.owner.startsWith('storage/'));
    for (const name of reserved) problems.push(`${one.owner} may not own ${name}: what begins with $ is storage's`);
    for (const other of rows.slice(0, index)) {
      if (other.partition === one.partition) problems.push(...sharedKeys(one, other));
      else if (meansTheSame(pattern, other.partition.pattern)) {
        problems.push(
          `${one.owner} and ${other.owner} both define a partition: ${pattern}, ${other.partition.pattern}`,
        );
      }
    }
    for (const [place, key] of one.keys.entries()) {
      const twice = one.keys.slice(0, place).find((before) => overlap(key, before));
      if (twice !== undefined) problems.push(`${one.owner} claims ${key} and ${twice} in ${pattern}`);
    }
  }
  return problems;
}

/** The room that owns a record; undefined when none says so. Leases lie in the partition that they guard. */
export function ownerOf(rows: readonly OwnedRows[], partition: string, key: string): string | undefined {
  if (key.startsWith('$lease/')) return 'storage/leases';
  return rows.find(
    (one) =>
      meansTheSame(one.partition.pattern, partition) &&
      one.keys.some((own) => (isBeginning(own) ? key.startsWith(own) : key === own)),
  )?.owner;
}

function sharedKeys(one: OwnedRows, other: OwnedRows): string[] {
  return one.keys.flatMap((key) =>
    other.keys
      .filter((theirs) => overlap(key, theirs))
      .map((theirs) => `${one.owner} claims ${key} and ${other.owner} ${theirs} in ${one.partition.pattern}`),
  );
}

const isBeginning = (key: string): boolean => /[/|]$/.test(key);

function overlap(a: string, b: string): boolean {
  return a === b || (isBeginning(a) && b.startsWith(a)) || (isBeginning(b) && a.startsWith(b));
}

/** Whether some name fits both patterns. */
function meansTheSame(a: string, b: string): boolean {
  const [left, right] = [a.split('/'), b.split('/')];
  const fits = (one = '', other = ''): boolean => one === other || one.startsWith('<') || other.startsWith('<');
  return left.length === right.length && left.every((part, index) => fits(part, right[index]));
}
