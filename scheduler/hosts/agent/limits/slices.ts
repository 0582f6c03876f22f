import { type Limits, weightOf } from './limits.ts';
import { LimitsError } from './port.ts';

/** Runs a program of the host and returns what it printed. */
export type Run = (program: string, words: readonly string[]) => Promise<string>;

/** Where systemd shows a slice: each hyphen of its name is one level down (systemd.slice(5)). */
export function slicePath(slice: string): string {
  const parts = slice.slice(0, -'.slice'.length).split('-');
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join('-')}.slice`).join('');
}

/**
 * Makes a slice with its limits; any number of times. systemd owns the control groups there and would undo what others write, so
 * it is the one that is told. Its words serve both versions of control groups.
 * @throws LimitsError
 */
export async function makeSlice(run: Run, slice: string, limits: Limits): Promise<void> {
  const { cpu, shares, memory, swap, pids } = limits;
  const properties = [
    `CPUWeight=${weightOf(shares)}`,
    `CPUQuota=${cpu === undefined ? '' : `${Math.max(1, Math.round(cpu * 100))}%`}`,
    `MemoryMax=${memory ?? 'infinity'}`,
    `MemorySwapMax=${swap ? 'infinity' : '0'}`,
    `TasksMax=${pids}`,
  ];
  try {
    await run('systemctl', ['start', slice]);
    await run('systemctl', ['set-property', '--runtime', slice, ...properties]);
  } catch (error) {
    throw new LimitsError(`the slice ${slice} cannot be made: ${(error as Error).message}`, { cause: error });
  }
}

/** Removes a slice that nothing is in, with what it was told. */
export async function removeSlice(run: Run, slice: string): Promise<void> {
  await run('systemctl', ['stop', slice]);
  await run('systemctl', ['revert', slice]);
}
