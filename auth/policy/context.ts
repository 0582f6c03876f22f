import type { ContextLookup } from './pattern.ts';

/**
 * A lookup over condition keys given as a plain object; names are compared without regard to case, the tag key in
 * `aws:ResourceTag/<key>` included (IAM user guide, "Condition").
 */
export function contextOf(keys: Readonly<Record<string, string | readonly string[] | undefined>>): ContextLookup {
  const folded = new Map<string, string | readonly string[]>();
  for (const [key, value] of Object.entries(keys)) if (value !== undefined) folded.set(key.toLowerCase(), value);
  return (key) => folded.get(key);
}
