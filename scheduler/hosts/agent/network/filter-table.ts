import { run } from './run.ts';

/** A set of the table. Those of ranges are merged by the kernel: single elements of them cannot be told apart afterwards. */
export interface FilterSet {
  readonly type: string;
  readonly elements: readonly string[];
  readonly isOfRanges: boolean;
}

export interface FilterChain {
  /** The hook of a chain that the kernel calls itself. */
  readonly hook?: string;
  readonly rules: readonly string[];
  /** Whether it is all the same in which order the rules stand: each lets something through, and none drops. */
  readonly isUnordered: boolean;
}

/** A table of the packet filter: what stands in it, by name. Texts are nft's own; whoever makes them has checked what they are made of. */
export interface FilterTable {
  readonly name: string;
  readonly sets: ReadonlyMap<string, FilterSet>;
  /** Verdicts by address: `ADDRESS : VERDICT`. */
  readonly maps: ReadonlyMap<string, readonly string[]>;
  readonly chains: ReadonlyMap<string, FilterChain>;
}

/** A script for `nft -f` that replaces the table as a whole or not at all. */
export function tableScript(table: FilterTable): string {
  const id = `inet ${table.name}`;
  return script([
    `table ${id}`,
    `delete table ${id}`,
    `table ${id} {`,
    ...[...table.sets].map(([name, set]) => declare('set', name, set.type, set.elements)),
    ...[...table.maps].map(([name, elements]) => declare('map', name, verdicts, elements)),
    ...[...table.chains].flatMap(([name, chain]) => chainLines(name, chain, chain.rules)),
    '}',
  ]);
}

/**
 * A script for `nft -f` that makes one table of another, as a whole or not at all, and names only what differs: a host with thousands of
 * rules takes a new one as fast as a host with few. Undefined where nothing differs.
 */
export function changeScript(before: FilterTable, after: FilterTable): string | undefined {
  const id = `inet ${after.name}`;
  /** What is emptied, in an order in which nothing is used any more that goes. */
  const emptied: string[] = [];
  const declared: string[] = [];
  const deleted: string[] = [];
  const compare = (kind: 'set' | 'map', name: string, type: string, old: Listed, now: Listed): void => {
    const change = changeOf(old.elements, now.elements);
    if (change === undefined) return;
    const { gone, added } = change;
    if (now.isOfRanges) {
      emptied.push(`flush ${kind} ${id} ${name}`);
      declared.push(declare(kind, name, type, now.elements));
      return;
    }
    if (gone.length > 0) emptied.push(`delete element ${id} ${name} { ${gone.join(', ')} }`);
    if (added.length > 0) declared.push(declare(kind, name, type, added));
  };
  for (const [name, old] of before.chains) {
    const now = after.chains.get(name);
    if (now === undefined) {
      emptied.push(`flush chain ${id} ${name}`);
      deleted.push(`delete chain ${id} ${name}`);
      continue;
    }
    const change = changeOf(old.rules, now.rules);
    if (now.isUnordered ? change === undefined : old.rules.join('\n') === now.rules.join('\n')) continue;
    const isLonger = now.isUnordered && change?.gone.length === 0;
    if (!isLonger) emptied.push(`flush chain ${id} ${name}`);
    declared.push(...chainLines(name, now, isLonger ? change.added : now.rules));
  }
  for (const [name, chain] of after.chains)
    if (!before.chains.has(name)) declared.push(...chainLines(name, chain, chain.rules));
  for (const [name, old] of before.maps) compare('map', name, verdicts, plain(old), plain(after.maps.get(name) ?? []));
  for (const [name, now] of after.sets) {
    const old = before.sets.get(name);
    if (old === undefined) declared.push(declare('set', name, now.type, now.elements));
    else compare('set', name, now.type, old, now);
  }
  for (const name of before.sets.keys()) if (!after.sets.has(name)) deleted.push(`delete set ${id} ${name}`);
  if (emptied.length + declared.length + deleted.length === 0) return undefined;
  return script([...emptied, `table ${id} {`, ...declared, '}', ...deleted]);
}

/** Whether a chain of an agent's table has rules: whoever loads rules of his own may have cleared all others. @throws NetworkError */
export async function hasRules(table: string, chain: string): Promise<boolean> {
  try {
    // Without what its sets hold, which may be much.
    const listed = await run('nft', ['--terse', 'list', 'chain', 'inet', table, chain]);
    return listed.split('\n').some((line) => /^\t\t(?!type )/.test(line));
  } catch (error) {
    if (!(await run('nft', ['list', 'tables', 'inet'])).split('\n').includes(`table inet ${table}`)) return false;
    throw error;
  }
}

/** Puts a script into effect, whole or not at all. @throws NetworkError when nft is missing or refuses it */
export async function applyScript(text: string): Promise<void> {
  await run('nft', ['-f', '-'], text);
}

/** Takes an agent's table away; nothing where there is none. @throws NetworkError */
export async function removeTable(name: string): Promise<void> {
  await run('nft', ['-f', '-'], `table inet ${name}\ndelete table inet ${name}\n`);
}

type Listed = Pick<FilterSet, 'elements' | 'isOfRanges'>;

const plain = (elements: readonly string[]): Listed => ({ elements, isOfRanges: false });

const verdicts = 'ipv4_addr : verdict';

/** What is in one list and not in the other; undefined where both are the same, in the same order or in another. */
function changeOf(
  old: readonly string[],
  now: readonly string[],
): { readonly gone: readonly string[]; readonly added: readonly string[] } | undefined {
  const [before, after] = [new Set(old), new Set(now)];
  const gone = [...before].filter((one) => !after.has(one));
  const added = [...after].filter((one) => !before.has(one));
  return gone.length + added.length === 0 ? undefined : { gone, added };
}

const script = (lines: readonly string[]): string => `${lines.join('\n')}\n`;

const declare = (kind: 'set' | 'map', name: string, type: string, elements: readonly string[]): string => {
  const listed = elements.length === 0 ? '' : ` elements = { ${elements.join(', ')} };`;
  return `${kind} ${name} { type ${type};${listed} }`;
};

const chainLines = (name: string, { hook }: FilterChain, rules: readonly string[]): string[] => [
  `chain ${name} {`,
  ...(hook === undefined ? [] : [hook]),
  ...rules,
  '}',
];
