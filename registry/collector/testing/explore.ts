import type { Gate } from './memory-stores.ts';

/** What runs beside each other: the actors wait at the gate before each of their steps. */
export interface World {
  readonly actors: readonly (() => Promise<void>)[];
  /** Throws when what must always hold does not. Called after every step. */
  readonly check: () => void;
}

/** Picks the next to go on of those that wait; `current` is the one that went last, if it waits again. */
type Pick = (waiting: readonly number[], current: number | undefined) => number;

/**
 * Runs a world under one schedule. Only one actor moves at a time, from one gate to the next.
 * @throws what `check` or an actor throws
 */
export async function runSchedule(build: (gate: Gate) => World, pick: Pick): Promise<void> {
  const waiting = new Map<number, () => void>();
  let moving = 0;
  let arrived: () => void = () => {};
  const gate: Gate = async () => {
    const actor = moving;
    if (waiting.has(actor)) throw new Error('an actor may wait for one thing at a time');
    await new Promise<void>((resolve) => {
      waiting.set(actor, resolve);
      arrived();
    });
  };
  const { actors, check } = build(gate);
  let failure: { readonly error: unknown } | undefined;
  const step = async (actor: number, go: () => void): Promise<void> => {
    moving = actor;
    const { promise, resolve } = Promise.withResolvers<void>();
    arrived = resolve;
    go();
    await promise;
    if (failure) throw failure.error;
    check();
  };
  for (const [actor, run] of actors.entries()) {
    await step(actor, () => {
      void ending(run, (error) => {
        if (error === undefined) return arrived();
        failure = { error };
        arrived();
      });
    });
  }
  let current: number | undefined;
  while (waiting.size > 0) {
    const ids = [...waiting.keys()].sort((a, b) => a - b);
    const next = pick(ids, current !== undefined && waiting.has(current) ? current : undefined);
    const go = waiting.get(next) as () => void;
    waiting.delete(next);
    current = next;
    await step(next, go);
  }
}

async function ending(run: () => Promise<void>, then: (error: unknown) => void): Promise<void> {
  try {
    await run();
  } catch (error) {
    return then(error);
  }
  then(undefined);
}

/** Runs `count` schedules drawn from a seed. */
export async function exploreAtRandom(build: (gate: Gate) => World, count: number, seed: number): Promise<void> {
  let state = seed >>> 0 || 1;
  const random = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  for (let run = 0; run < count; run++) {
    // Mostly stay with one actor: long stretches with few switches find other mistakes than constant switching.
    const restless = random();
    await runSchedule(build, (waiting, current) =>
      current !== undefined && random() > restless
        ? current
        : (waiting[Math.floor(random() * waiting.length)] as number),
    );
  }
}

interface Decision {
  readonly options: readonly number[];
  chosen: number;
  /** Switches away from an actor that could have gone on, before this decision. */
  readonly spent: number;
  readonly current: number | undefined;
}

/** Runs every schedule in which at most `bound` times an actor that could go on is interrupted. Returns how many there are. */
export async function exploreAll(build: (gate: Gate) => World, bound: number, most: number): Promise<number> {
  let trail: Decision[] = [];
  for (let runs = 1; ; runs++) {
    let depth = 0;
    let spent = 0;
    await runSchedule(build, (waiting, current) => {
      if (depth === trail.length) {
        const options =
          current === undefined
            ? waiting
            : [current, ...(spent < bound ? waiting.filter((actor) => actor !== current) : [])];
        trail.push({ options, chosen: 0, spent, current });
      }
      const decision = trail[depth++] as Decision;
      const next = decision.options[decision.chosen] as number;
      if (current !== undefined && next !== current) spent += 1;
      return next;
    });
    trail = trail.slice(0, depth);
    while (trail.length > 0 && (trail.at(-1) as Decision).chosen + 1 >= (trail.at(-1) as Decision).options.length)
      trail.pop();
    const last = trail.at(-1);
    if (last === undefined || runs >= most) return runs;
    last.chosen += 1;
  }
}
