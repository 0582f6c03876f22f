import { median, type Row, short, spread } from './results.ts';

export interface Measure {
  readonly value: number;
  /** Milliseconds. */
  readonly p99?: number;
}

/** Collects the rows of one benchmark: every figure is taken in turns, ours and the peer's, so that noise hits both alike. */
export class Comparison {
  readonly rows: Row[] = [];
  readonly measured: Record<string, unknown> = {};
  readonly #rounds: number;
  readonly #say: (line: string) => void;

  constructor(rounds: number, say: (line: string) => void) {
    this.#rounds = rounds;
    this.#say = say;
  }

  /**
   * @param targets ours first, then the peer if there is one
   * @param goal what the median of the ratios should be
   */
  async compare<T>(
    what: string,
    unit: string,
    goal: string,
    targets: readonly T[],
    measure: (target: T) => Promise<Measure>,
    options: { readonly rounds?: number; readonly lessIsBetter?: boolean } = {},
  ): Promise<void> {
    const samples = targets.map((): Measure[] => []);
    for (let round = 0; round < (options.rounds ?? this.#rounds); round++) {
      for (const [index, target] of targets.entries()) samples[index]?.push(await measure(target));
    }
    const [ours = [], peers = []] = samples;
    const ratios = ours.flatMap(({ value }, index) => {
      const peer = peers[index]?.value;
      return peer === undefined ? [] : [options.lessIsBetter ? peer / value : value / peer];
    });
    this.measured[what] = { ours, peer: peers };
    this.add({
      what,
      ours: figure(ours, unit),
      peer: peers.length === 0 ? '' : figure(peers, unit),
      ratio:
        ratios.length === 0
          ? ''
          : `${short(median(ratios))}x (${short(Math.min(...ratios))} to ${short(Math.max(...ratios))})`,
      goal,
    });
  }

  add(row: Row): void {
    this.rows.push(row);
    this.#say(`${row.what}: ${row.ours} | ${row.peer} | ${row.ratio} | ${row.goal}`);
  }
}

function figure(sample: readonly Measure[], unit: string): string {
  const values = spread(
    sample.map(({ value }) => value),
    unit,
  );
  const tails = sample.flatMap(({ p99 }) => (p99 === undefined ? [] : [p99]));
  return tails.length === 0 ? values : `${values}, p99 ${short(median(tails))} ms`;
}
