import { parseQuery } from '../query.ts';
import type { FoundEvent } from '../row.ts';

/** 12:00 on 15 June 2026, in UTC. */
export const noon = Date.parse('2026-06-15T12:00:00Z');

/** Events of one group, a second apart from noon on, in the streams that are named or in `one`. */
export function eventsOf(messages: readonly (string | object)[], streams: readonly string[] = []): FoundEvent[] {
  return messages.map((message, index) => ({
    id: String(index).padStart(56, '0'),
    stream: streams[index] ?? 'one',
    timestamp: noon + 1000 * index,
    ingestionTime: noon + 1000 * index + 5,
    message: typeof message === 'string' ? message : JSON.stringify(message),
    log: '000000000000:web',
    pointer: `pointer-${index}`,
  }));
}

/** What a query answers over events, which come in an order of their own; without pointers, unless they are asked for. */
export async function answer(
  query: string,
  events: readonly FoundEvent[],
  { limit, pointers = false }: { readonly limit?: number; readonly pointers?: boolean } = {},
): Promise<Record<string, string>[]> {
  const run = parseQuery(query, noon).run(limit);
  for (const event of events) run.add(event);
  const rows = await run.finish(() => undefined);
  return rows.map((row) => Object.fromEntries(row.filter(([name]) => pointers || name !== '@ptr')));
}

/** What one expression is for an event whose message is this; undefined for nothing. */
export async function value(expression: string, message: string | object = {}): Promise<string | undefined> {
  const [row = {}] = await answer(`fields ${expression} as x`, eventsOf([message]));
  return row['x'];
}
