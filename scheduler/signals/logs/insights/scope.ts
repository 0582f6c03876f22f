import type { Expression } from './operators.ts';

/** A function of `stats`, as it is called. Offsets are into the query. */
export interface AggregateCall {
  readonly name: string;
  /** None for `count(*)`. */
  readonly args: readonly Expression[];
  readonly start: number;
  readonly end: number;
}

/** What names mean where a query is read: it changes from command to command. */
export class Scope {
  /** Fields that commands before have made: a name among them is not the event's any more. */
  readonly made = new Set<string>();
  /** After `stats` there is nothing but what it made: by what an expression looks like, the name of its column. */
  columns: ReadonlyMap<string, string> | undefined;
  /** While `stats` is read: what one of its functions is. Outside of them there are no fields. */
  aggregate: ((call: AggregateCall) => Expression) | undefined;

  /** Whether a name is that of what every event has, and not of what a command made. */
  isOfEvents(name: string): boolean {
    return this.columns === undefined && !this.made.has(name);
  }
}

/** How an expression is looked for among columns: without its white space. */
export const likeness = (text: string): string => text.replace(/\s{1,10000}/g, '').toLowerCase();

/** Where in a query what looks like this ends, when it begins at `start`. */
export function endOf(like: string, query: string, start: number): number | undefined {
  let at = start;
  for (const character of like) {
    while (/\s/.test(query.charAt(at))) at++;
    if (query.charAt(at).toLowerCase() !== character) return undefined;
    at++;
  }
  return at;
}
