/**
 * `npm run bench:simulation [-- --json FILE] [-- --short] [-- --large]`: how fast the control plane is simulated, and what it costs in large
 * clusters; with `--large` in one of a million tasks, too, which takes a quarter of an hour and 8 GiB. Times are processor time of one thread,
 * so that neighbours on the machine do not count.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { measureSimulation, type SimulationFigures, type SpeedSize } from '../simulator/index.ts';
import { type Row, short, writeSection } from './results.ts';

/** For the record, and to see that it runs. */
export const full: SpeedSize = {
  seeds: 200,
  days: 5,
  clusters: [
    { instances: 1_000, tasks: 10_000 },
    { instances: 10_000, tasks: 100_000 },
  ],
};
/** Beside that, what takes long. */
const large = { instances: 100_000, tasks: 1_000_000 };
export const shortened: SpeedSize = { seeds: 3, days: 1, clusters: [{ instances: 100, tasks: 1_000 }] };

/** The table of the figures. Goals are those of 10,000 instances; ten times as many may cost twelve times as much. */
export function toRows({
  seedsPerMinute,
  virtualPerSecond,
  halfHour: day,
  clusters,
}: SimulationFigures): readonly Row[] {
  const row = (what: string, ours: string, goal = ''): Row => ({ what, ours, peer: '', ratio: '', goal });
  return [
    row(
      'bad days of one to four minutes and what follows, one core',
      `${short(seedsPerMinute)} seeds/minute`,
      'at least 400 seeds/minute',
    ),
    row('virtual time of those, for each second of one core', `${short(virtualPerSecond)} s`),
    row('30 minutes of 3 servers, 20 hosts, 200 tasks and one roll', `${short(day)} ms`, 'under 150 ms'),
    ...clusters.flatMap((measured) => {
      const { instances, tasks } = measured.size;
      const slack = instances > 10_000 ? 12 : 1;
      const at = `${instances.toLocaleString('en-US')} instances, ${tasks.toLocaleString('en-US')} tasks`;
      const goal = (text: string, value: number, unit: string): string =>
        instances < 10_000 ? '' : `${text} ${short(value * slack)} ${unit}`;
      const { written } = measured;
      return [
        row(
          `${at}: memory, two servers and the store together`,
          `${short(measured.memory)} MiB`,
          goal('under', 1_229, 'MiB'),
        ),
        row(
          `${at}: all services looked at by a new leader`,
          `${short(measured.takeover)} ms`,
          goal('under', 2_000, 'ms'),
        ),
        row(
          `${at}: 1 % of the tasks changing a minute`,
          `${short(measured.busyMinute / 600)} % of a core`,
          goal('under', 20, '%'),
        ),
        row(`${at}: nothing changing`, `${short(measured.idleMinute / 600)} % of a core`),
        row(`${at}: commit to the message at the agent, p99`, `${short(measured.message)} ms`, goal('under', 50, 'ms')),
        row(`${at}: the same while 2,000 tasks are rolled at once`, `${short(measured.messageOfRoll)} ms`),
        row(`${at}: a task started or stopped in that roll`, `${short(measured.roll)} ms`, 'under 1 ms'),
        row(`${at}: an agent that connects`, `${short(measured.connect)} ms`),
        row(
          `${at}: written for each task that is replaced`,
          `${short(written.bytes / 1_024)} KiB in ${short(written.rows)} rows, ${short(written.commits)} commits`,
        ),
      ];
    }),
  ];
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      json: { type: 'string' },
      short: { type: 'boolean', default: false },
      large: { type: 'boolean', default: false },
    },
  });
  const size = values.short ? shortened : full;
  const figures = await measureSimulation(values.large ? { ...size, clusters: [...size.clusters, large] } : size);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(figures, undefined, 2)}\n`);
  const rows = toRows(figures);
  for (const { what, ours, goal } of rows) process.stdout.write(`${what}: ${ours}${goal === '' ? '' : ` (${goal})`}\n`);
  if (!values.short)
    writeSection({
      name: 'simulation',
      title: 'The simulated control plane',
      command: 'npm run bench:simulation',
      notes: [
        'Processor time of the one thread in which all of it runs: servers, store, agents and users. There is no peer.',
        'Bad days: the seeds of `npm run simulate`. The half hour has the real agents on simulated engines.',
        'Large clusters: services of 100 tasks, one of 2,000; agents that only talk, all connected to one of two servers; a store in memory that answers at once. Times from commit to message are work and the waiting of the control plane itself.',
      ],
      rows,
    });
  process.exit(0);
}
