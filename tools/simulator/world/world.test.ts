import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { mutations } from './mutations.ts';

/** Seeds of one run of the tests, and how many of them each mutation is given. The seeds are always the same: 1, 2, 3, … */
const size = { nightly: { seeds: 20_000, mutant: 2_000 }, release: { seeds: 100_000, mutant: 2_000 } }[
  process.env['SLIPWAY_TEST_SIZE'] ?? ''
] ?? { seeds: 120, mutant: 250 };

const time = { nightly: 4 * 3_600_000, release: 12 * 3_600_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 600_000;

/** Seeds that once showed a mistake, with what it was. They are played again for ever. */
const once: readonly (readonly [number, string])[] = [
  [4, 'a restarted agent reported a task that was over as PENDING'],
  [6, "an engine's event about health was missed, and nobody looked again"],
  [10, 'a full disk left a stopped task unreported'],
  [142, 'a server went on from what a store had lost'],
  [154, "an agent's connection was lost with the store's last second, and stayed open"],
];

interface Line {
  readonly seed: number;
  readonly checksum: string;
  readonly counts: { readonly faults: number; readonly containersStarted: number; readonly commits: number };
  readonly violation?: { readonly invariant: string; readonly message: string };
}

/** Plays in a process that Node lets reach no file but to read, no socket and no other program. */
async function node(...args: string[]): Promise<string> {
  const child = spawn(process.execPath, ['--permission', '--allow-fs-read=*', ...args], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  let failed = '';
  child.stdout.on('data', (data: Buffer) => (printed += data.toString()));
  child.stderr.on('data', (data: Buffer) => (failed += data.toString()));
  await new Promise((resolve) => child.once('close', resolve));
  if (failed !== '') throw new Error(failed);
  return printed;
}

const play = async (seeds: string): Promise<Line[]> =>
  (await node(join(import.meta.dirname, 'main.ts'), '--json', '--seeds', seeds))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

describe('the control plane in simulation', { timeout: time }, () => {
  test(`holds what it must through seeds 1 to ${size.seeds}`, async () => {
    const lines = await play(`1..${size.seeds}`);
    expect(lines.filter(({ violation }) => violation !== undefined)).toEqual([]);
    expect(lines).toHaveLength(size.seeds);
    // Runs in which nothing happens would hold everything.
    const sum = (of: (line: Line) => number): number => lines.reduce((total, line) => total + of(line), 0);
    expect(sum(({ counts }) => counts.faults)).toBeGreaterThan(5 * size.seeds);
    expect(sum(({ counts }) => counts.containersStarted)).toBeGreaterThan(20 * size.seeds);
  });

  test.each(once)('seed %i: %s', async (seed) => {
    const [line] = await play(String(seed));
    expect(line?.violation).toBeUndefined();
  });

  test('plays a seed the same way every time', async () => {
    const [first, second] = await Promise.all([play('7..9'), play('7..9')]);
    expect(first.map(({ checksum }) => checksum)).toEqual(second.map(({ checksum }) => checksum));
  });

  test.each(mutations.map((mutation) => [mutation.name, mutation] as const))(
    'notices when %s',
    async (name, { caughtBy, from = 1 }) => {
      const printed = await node(join(import.meta.dirname, 'mutant.ts'), name, String(from), String(size.mutant));
      const { caught } = JSON.parse(printed) as { caught?: { invariant: string } };
      expect(caughtBy).toContain(caught?.invariant);
    },
  );
});
