import { readdirSync, readFileSync } from 'node:fs';

/** What a server, its workers included, held at one moment. */
export interface Held {
  /** Seconds since the watch began. */
  readonly at: number;
  readonly memoryMiB: number;
  readonly files: number;
}

/** Growth between two stretches of a watch, from medians, which a single peak does not move. */
export interface Growth {
  readonly memoryMiB: { readonly early: number; readonly late: number; readonly perHour: number };
  readonly files: { readonly early: number; readonly late: number };
}

/** Reads what a process and its children hold; undefined while it is away. */
export function heldBy(pid: number | undefined, at: number): Held | undefined {
  if (pid === undefined) return undefined;
  try {
    const pids = [pid, ...childrenOf(pid)];
    return { at, memoryMiB: sum(pids.map(residentMiB)), files: sum(pids.map(openFiles)) };
  } catch {
    return undefined;
  }
}

/**
 * Compares the first quarter of a watch with its last, and puts a line through the memory of all of it (least squares).
 * @returns undefined for a watch too short to say anything
 */
export function growthOf(held: readonly Held[]): Growth | undefined {
  const quarter = Math.floor(held.length / 4);
  if (quarter < 3) return undefined;
  const early = held.slice(0, quarter);
  const late = held.slice(-quarter);
  return {
    memoryMiB: {
      early: median(early.map(({ memoryMiB }) => memoryMiB)),
      late: median(late.map(({ memoryMiB }) => memoryMiB)),
      perHour: Math.round(slope(held.map(({ at, memoryMiB }) => [at / 3600, memoryMiB] as const))),
    },
    files: { early: median(early.map(({ files }) => files)), late: median(late.map(({ files }) => files)) },
  };
}

/** The slope of the line that fits points best. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const meanX = sum(points.map(([x]) => x)) / points.length;
  const meanY = sum(points.map(([, y]) => y)) / points.length;
  const spread = sum(points.map(([x]) => (x - meanX) ** 2));
  return spread === 0 ? 0 : sum(points.map(([x, y]) => (x - meanX) * (y - meanY))) / spread;
}

/** The value that half of the others lie below. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** @param share 0.99: the value that 99 of a hundred lie below */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

const residentMiB = (pid: number): number =>
  Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024);

const openFiles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
