import { describe, expect, test } from 'vitest';
import { instanceOf } from './capacity.ts';
import { renderChart } from './chart.ts';
import { fewestInstances, play, playWithoutZone } from './fleet.ts';
import { simulate } from './simulation.ts';
import { VirtualClock } from './virtual-clock.ts';
import { generateMix, parseWorkload } from './workload.ts';

const type = { name: 'm', cpu: 1024, memory: 1000, gpus: 0, attributes: new Map<string, string>() };
const tasks = (...rows: readonly string[]): ReturnType<typeof parseWorkload> =>
  parseWorkload(['arrival,departure,cpu,memory', ...rows].join('\n'));

describe('virtual time', () => {
  test('runs events in order of time, equal ones in order of scheduling, and never backwards', async () => {
    const clock = new VirtualClock(1000);
    const seen: string[] = [];
    const note = (name: string) => (): number => seen.push(`${name} ${clock.monotonic()}`);
    clock.at(3000, note('c'));
    clock.at(2000, note('a'));
    clock.at(2000, () => {
      note('b')();
      clock.at(500, note('late'));
    });
    const slept = clock.sleep(5000).then(note('slept'));
    clock.runUntil(9000);
    await slept;
    expect(seen).toEqual(['a 1000', 'b 1000', 'late 1000', 'c 2000', 'slept 8000']);
    expect(clock.now()).toBe(9000);
  });

  test('a sleep that is aborted rejects with the reason', async () => {
    const reason = new Error('enough');
    await expect(new VirtualClock().sleep(1, AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const slept = new VirtualClock().sleep(1, controller.signal);
    controller.abort(reason);
    await expect(slept).rejects.toBe(reason);
  });
});

describe('a simulation', () => {
  test('lets a task wait until another departs', () => {
    const workload = tasks('0,100,600,100', '10,50,600,100', '20,30,600,100');
    const result = simulate({
      instances: [instanceOf(type, 0, ['z'])],
      workload,
      strategies: [],
      seed: 1,
      duration: 200,
      sampleEvery: 45,
    });
    // The second and the third each start when the one before ends: at 100 and 140, until 150.
    expect(result.samples.map(({ time, running, waiting }) => [time, running, waiting])).toEqual([
      [45, 1, 2],
      [90, 1, 2],
      [135, 1, 1],
      [180, 0, 0],
    ]);
    expect(result).toMatchObject({ placed: 3, delayed: 2, moves: 0 });
  });

  test('is the same for the same input', () => {
    const workload = generateMix({ seed: 3, tasks: 80, lifetime: 3600, duration: 20_000 });
    const big = { ...type, cpu: 16_384, memory: 65_536 };
    const run = (): unknown =>
      play({ workload, type: big, zones: ['a', 'b'], strategies: [{ type: 'random' }], seed: 5 }, 20, {
        every: 600,
        sharePerHour: 0.1,
      });
    expect(run()).toEqual(run());
  });

  test('finds the fewest instances on which nothing waits', () => {
    const workload = tasks('0,100,600,100', '10,50,600,100', '60,70,600,100', '65,80,400,100');
    const question = { workload, type, zones: ['a', 'b'], strategies: [], seed: 1 };
    expect(fewestInstances(question)).toBe(2);
    expect(play(question, 2).delayed).toBe(0);
    expect(play(question, 1).delayed).toBeGreaterThan(0);
    expect(playWithoutZone(question, 2, 'a').delayed).toBeGreaterThan(0);
    expect(fewestInstances({ ...question, workload: tasks('0,,2000,100') })).toBeUndefined();
  });
});

test('a chart is one well-formed SVG with its texts escaped', () => {
  const svg = renderChart({
    title: 'a < b & c',
    xLabel: 'hours',
    yLabel: 'instances',
    series: [
      {
        name: 'one',
        color: '#000000',
        points: [
          [0, 0],
          [10, 37],
        ],
      },
    ],
  });
  expect(svg).toContain('a &lt; b &amp; c');
  expect(svg).toContain('points="70.0,365.0 840.0,');
  expect(svg.match(/<svg/g)).toHaveLength(1);
  expect(svg.trimEnd().endsWith('</svg>')).toBe(true);
});
