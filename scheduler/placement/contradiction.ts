import type { ClusterQuery } from './query-parser.ts';

/**
 * The attribute that conditions which must all hold ask two different things of, so that no instance can ever satisfy
 * them: its required values have nothing in common, or it must exist and must not. Sound, not complete: `or`, `not` and
 * patterns are left out.
 */
export function contradiction(conditions: readonly ClusterQuery[]): string | undefined {
  const allowed = new Map<string, ReadonlySet<string>>();
  const absent = new Set<string>();
  const pending = [...conditions];
  for (let condition = pending.pop(); condition !== undefined; condition = pending.pop()) {
    if (condition.kind === 'and') pending.push(...condition.terms);
    if (condition.kind !== 'test' || condition.subject.kind !== 'attribute') continue;
    const { name } = condition.subject;
    if (condition.operator === '!exists') absent.add(name);
    if (condition.operator !== '==' && condition.operator !== 'in') continue;
    const values = new Set(condition.values);
    allowed.set(name, allowed.get(name)?.intersection(values) ?? values);
  }
  for (const [name, values] of allowed) if (values.size === 0 || absent.has(name)) return name;
  return undefined;
}
