/**
 * `npm run simulate`: plays the control plane through bad days, from seeds.
 *
 *     npm run simulate -- --seeds 1..200          one line for each seed that breaks something, and a sum
 *     npm run simulate -- --seed 17 --trace       the whole history of one seed
 *     npm run simulate -- --seed 17 --shrink      the shortest plan found that breaks the same
 */
import { writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Outcome } from './outcome.ts';
import { dayKinds, drawPlan } from './plan.ts';
import { seal } from './seal.ts';
import { shrink } from './shrink.ts';
import { World } from './world.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    trace: { type: 'boolean', default: false },
    shrink: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    /** Stops at the first seed that breaks something. */
    first: { type: 'boolean', default: false },
    /** Days of services that shift traffic. */
    shifts: { type: 'boolean', default: false },
    /** The same, with steps that are judged by what engines count. */
    judged: { type: 'boolean', default: false },
    /** Days of services with task sets. */
    sets: { type: 'boolean', default: false },
    /** Days of services whose zones are evened out. */
    zones: { type: 'boolean', default: false },
    /** Days of services whose deployments may fail by alarms. */
    alarms: { type: 'boolean', default: false },
    /** Days with an Auto Scaling group. */
    groups: { type: 'boolean', default: false },
    /** Days whose load balancers are carried by engines of other hosts. */
    edges: { type: 'boolean', default: false },
  },
});

const tell = (text: string): void => void writeSync(1, `${text}\n`);
const [from, to] = range(values.seeds ?? values.seed ?? '1');
seal();
// Errors are part of every day here, and where each was made is only worth its price when somebody looks.
const frames = Error.stackTraceLimit;
if (!values.trace) Error.stackTraceLimit = 0;

let broken = 0;
for (let seed = from; seed <= to; seed++) {
  let outcome = await new World(drawPlan(seed, values), values.trace).play();
  if (outcome.violation !== undefined && values.shrink) {
    outcome = await shrink(outcome, 300);
  }
  if (outcome.violation !== undefined) {
    Error.stackTraceLimit = frames;
    outcome = await new World(outcome.plan, values.trace).play();
    if (!values.trace) Error.stackTraceLimit = 0;
  }
  if (values.trace) for (const line of outcome.history.lines()) tell(line);
  if (outcome.violation !== undefined) broken += 1;
  if (values.json) tell(JSON.stringify(summary(outcome)));
  else if (outcome.violation !== undefined || from === to) tell(words(outcome));
  if (broken > 0 && values.first) break;
}
if (!values.json) tell(`${to - from + 1} seeds, ${broken} broke something`);
process.exit(broken > 0 ? 1 : 0);

function range(text: string): [number, number] {
  const [, first = '', last = first] = /^(\d+)(?:\.\.(\d+))?$/.exec(text) ?? [];
  if (first === '') {
    tell(`--seeds takes FROM..TO, --seed a number; not ${text}`);
    process.exit(2);
  }
  return [Number(first), Number(last)];
}

function summary({ plan, violation, checksum, played, counts }: Outcome): object {
  return { seed: plan.seed, checksum, played, counts, ...(violation === undefined ? {} : { violation }) };
}

function words({ plan, violation, played, counts }: Outcome): string {
  const { servers, hosts, faults, users } = plan;
  const size = `${servers} servers, ${hosts} hosts, ${faults.length} faults, ${users.length} actions`;
  const did = `${counts.containersStarted} containers, ${counts.commits} commits in ${Math.round(played / 1000)} s`;
  const options = dayKinds.filter((kind) => plan[kind]).map((kind) => ` --${kind}`);
  const end =
    violation === undefined
      ? 'all held'
      : `${violation.message}\n    play it again: npm run simulate -- --seed ${plan.seed} --trace${options.join('')}`;
  const left = values.shrink && violation !== undefined ? [...faults, ...users].sort((a, b) => a.at - b.at) : [];
  const rest = left.map((one) => `\n    ${JSON.stringify(one)}`).join('');
  return `seed ${plan.seed} (${size}; ${did}): ${end}${rest}`;
}
