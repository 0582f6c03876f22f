import { type Collector, comparing, DistinctRows, FirstRows, GroupedRows } from './collectors.ts';
import { Commands, mostRows, type Shown, type Step } from './commands.ts';
import { type FoundEvent, Row } from './row.ts';
import { Scanner } from './scanner.ts';

/** A line of an answer: the fields that it has, in order. */
export type ResultRow = readonly (readonly [field: string, value: string])[];

/** A query that was read. It keeps nothing from one run to the next. */
export interface Query {
  /** Texts of which every event that can be part of the answer holds all, so that others need not be read. */
  readonly terms: readonly string[];
  /** The streams whose events can be part of the answer; absent: all. */
  readonly streams: readonly string[] | undefined;
  /** @param limit how many rows are answered when the query does not say */
  readonly run: (limit?: number) => QueryRun;
}

/** A query that goes over events. */
export interface QueryRun {
  /** Takes the next event, in whichever order. @throws QueryTooHeavy */
  add(event: FoundEvent): void;
  /** Events that got through the filters so far. */
  readonly matched: number;
  /**
   * What the answer is. Nothing may be added any more.
   * @param pause is asked every few rows, and may wait
   * @throws QueryTooHeavy
   */
  finish(pause: () => Promise<void> | void): Promise<readonly ResultRow[]>;
}

/**
 * Reads a query of CloudWatch Logs Insights (user guide, "CloudWatch Logs Insights language query syntax"). The empty one shows times and messages.
 * @param now milliseconds since the epoch, for `now()`
 * @throws QueryError that says at which character it is wrong
 */
export function parseQuery(text: string, now: number): Query {
  const scanner = new Scanner(text);
  const commands = new Commands(scanner, now);
  if (scanner.next.kind !== 'end')
    do commands.read();
    while (scanner.takeSign('|'));
  if (scanner.next.kind !== 'end') scanner.fail(`${scanner.shown} stands after a command. The next one begins with |.`);
  const { steps, terms, streams, shown, areEvents } = commands;
  const all = areEvents ? [...shown, pointer] : shown;
  return { terms, streams, run: (limit = mostRows) => new Run(steps, all, limit) };
}

const pointer: Shown = { name: '@ptr', of: ({ event }) => event?.pointer };

/** Commands up to one that needs all rows before it has one. */
interface Phase {
  readonly steps: readonly Extract<Step, { readonly kind: 'row' | 'sort' }>[];
  readonly collector: Collector;
}

class Run implements QueryRun {
  matched = 0;
  readonly #phases: readonly Phase[];
  readonly #shown: readonly Shown[];

  constructor(steps: readonly Step[], shown: readonly Shown[], limit: number) {
    this.#shown = shown;
    this.#phases = phasesOf(steps, shown, limit);
  }

  add(event: FoundEvent): void {
    if (push(this.#phases[0]!, new Row(event))) this.matched++;
  }

  async finish(pause: () => Promise<void> | void): Promise<readonly ResultRow[]> {
    const [first, ...others] = this.#phases;
    let rows = drained(first!.collector);
    for (const phase of others) {
      for (const row of rows) {
        push(phase, row);
        await pause();
      }
      rows = drained(phase.collector);
    }
    return Array.from(rows, (row) =>
      this.#shown.flatMap(({ name }) => {
        const value = row.own.get(name);
        return typeof value === 'string' ? [[name, value] as const] : [];
      }),
    );
  }
}

function* drained(collector: Collector): Generator<Row> {
  let place = 0;
  for (const row of collector.drain()) {
    if (collector.isOrdered) row.place = place++;
    row.order = [];
    yield row;
  }
}

/** @returns whether the row got as far as the end of the phase */
function push({ steps, collector }: Phase, row: Row): boolean {
  for (const step of steps) {
    if (step.kind === 'row') {
      if (!step.apply(row)) return false;
    } else row.order = [...step.keys.map(({ of }) => of.evaluate(row)), ...row.order];
  }
  collector.add(row);
  return true;
}

function phasesOf(steps: readonly Step[], shown: readonly Shown[], limit: number): readonly Phase[] {
  const phases: Phase[] = [];
  let some: Extract<Step, { readonly kind: 'row' | 'sort' }>[] = [];
  let signs: (1 | -1)[] = [];
  const last = steps.findLastIndex(({ kind }) => kind === 'limit' || kind === 'dedup' || kind === 'stats');
  const isLimited = steps.some(({ kind }) => kind === 'limit');
  const end = (collector: Collector): void => {
    phases.push({ steps: some, collector });
    some = [];
    signs = [];
  };
  for (const [index, step] of steps.entries()) {
    if (step.kind === 'row') some.push(step);
    else if (step.kind === 'sort') {
      some.push(step);
      signs = [...step.keys.map(({ sign }) => sign), ...signs];
    } else if (step.kind === 'stats') end(new GroupedRows(step.by, step.aggregates, step.columns));
    else if (step.kind === 'dedup') end(new DistinctRows(comparing(signs), step.of, mostRows));
    // What follows the last limit makes fields, and nothing comes or goes: it may as well come before it.
    else if (index !== last || steps.slice(index).some(({ kind }) => kind === 'sort') || hasFilter(steps, index))
      end(new FirstRows(comparing(signs), step.count));
    else {
      some.push(...(steps.slice(index + 1) as typeof some));
      end(new FirstRows(comparing(signs), step.count, (row) => row.reduced(shown)));
      return phases;
    }
  }
  end(new FirstRows(comparing(signs), isLimited ? mostRows : limit, (row) => row.reduced(shown)));
  return phases;
}

const hasFilter = (steps: readonly Step[], after: number): boolean =>
  steps.slice(after + 1).some((step) => step.kind === 'row' && step.isFilter);
