/** `slipway simulate --control-plane` and `slipway simulate snapshot`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { ecsClient } from '../../cli/aws-client.ts';
import { CliError } from '../../cli/errors.ts';
import { parseOutput, print, printJson, table } from '../../cli/output.ts';
import { renderPicture } from './picture.ts';
import { type Rehearsal, rehearse } from './rehearse.ts';
import { chooseScenario } from './scenarios.ts';
import { largest, parseSnapshot, type Snapshot } from './snapshot.ts';
import { takeSnapshot } from './take.ts';

export interface RehearsalCommand {
  readonly cluster: string;
  readonly snapshot?: string;
  readonly scenario: string;
  readonly zone?: string;
  readonly host?: string;
  readonly service?: string;
  readonly image?: string;
  readonly lasts?: number;
  readonly servers: number;
  readonly within: number;
  readonly seed: number;
  readonly svg?: string;
  readonly output: string;
}

/** The exit code that says that a service fell below its minimum. */
const fellBelow = 3;

/** Prints a snapshot of a running cluster. */
export async function snapshotCommand({ cluster }: { readonly cluster: string }): Promise<void> {
  printJson(await takeSnapshot(ecsClient(), cluster));
}

/** Plays a scenario and tells what would happen. Exit code 3: a service fell below its minimum. */
export async function rehearsalCommand(options: RehearsalCommand): Promise<void> {
  const output = parseOutput(options.output);
  if (options.servers < 1 || options.servers > 9)
    throw new CliError(`--servers is a number from 1 to 9, not ${options.servers}`, 2);
  for (const [name, value] of [
    ['--lasts', options.lasts ?? 1],
    ['--minutes', options.within],
  ] as const)
    if (value < 1 || value > 24 * 60)
      throw new CliError(`${name} is a number of minutes from 1 to 1440, not ${value}`, 2);
  const snapshot = await readSnapshot(options);
  if (snapshot.instances.length === 0)
    throw new CliError(`the cluster ${snapshot.cluster} has no container instances`, 2);
  if (snapshot.services.length === 0) throw new CliError(`the cluster ${snapshot.cluster} has no services`, 2);
  const { scenario, zone, host, service, image, lasts } = options;
  const chosen = chooseScenario(snapshot, {
    scenario,
    ...(zone === undefined ? {} : { zone }),
    ...(host === undefined ? {} : { host }),
    ...(service === undefined ? {} : { service }),
    ...(image === undefined ? {} : { image }),
    ...(lasts === undefined ? {} : { lasts: lasts * 60_000 }),
  });
  const { servers, seed, within } = options;
  const rehearsal = await rehearse(snapshot, chosen, { servers, seed, within: within * 60_000 });
  if (options.svg !== undefined) writePicture(options.svg, rehearsal);
  if (output === 'json') printJson(rehearsal);
  else printRehearsal(rehearsal);
  if (!rehearsal.kept) process.exitCode = fellBelow;
}

async function readSnapshot({ snapshot: file, cluster }: RehearsalCommand): Promise<Snapshot> {
  if (file === undefined) {
    const taken = await takeSnapshot(ecsClient(), cluster);
    // What the API says is held to the same bounds as a file.
    return parseSnapshot(`the cluster ${cluster}`, JSON.stringify(taken));
  }
  let text: string;
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new CliError(`cannot read ${file}: ${(error as Error).message}`, 2);
  }
  return parseSnapshot(file, text);
}

function writePicture(file: string, rehearsal: Rehearsal): void {
  try {
    writeFileSync(file, renderPicture(rehearsal));
  } catch (error) {
    throw new CliError(`cannot write ${file}: ${(error as Error).message}`);
  }
}

/** Lines of a timeline that are printed; `--output json` has all of them. */
const mostLines = 100;

function printRehearsal({ what, cluster, instances, tasks, notes, timeline, services, kept }: Rehearsal): void {
  print(`cluster ${cluster}: ${instances} hosts, ${tasks} tasks, ${services.length} services`);
  for (const note of notes) print(`note: ${note}`);
  print(what);
  print();
  for (const { at, who, what: said } of timeline.slice(0, mostLines)) print(`${clock(at)}  ${who}: ${said}`);
  if (timeline.length > mostLines) print(`… and ${timeline.length - mostLines} lines more (--output json has all)`);
  print();
  print(
    table(
      ['SERVICE', 'DESIRED', 'MINIMUM', 'FEWEST HEALTHY', 'BELOW MINIMUM', 'WHOLE AGAIN', 'AT THE END'],
      services.map(({ name, desired, minimum, lowest, below, wholeAfter, rollout, unplaceable }) => [
        name,
        `${desired}`,
        `${minimum}`,
        `${lowest}`,
        below === 0 ? 'never' : clock(below),
        wholeAfter === undefined ? 'not yet' : wholeAfter === 0 ? '' : `after ${clock(wholeAfter)}`,
        unplaceable === undefined ? rollout : `${rollout}: ${unplaceable}`,
      ]),
    ),
  );
  print();
  print(kept ? 'every service kept its minimum' : 'a service fell below its minimum (exit code 3)');
}

/** Minutes and seconds. */
function clock(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`;
}

export const rehearsalHelp = `
What would happen, on a copy of your cluster in virtual time:
  $ slipway simulate snapshot --cluster default > cluster.json
  $ slipway simulate --control-plane --snapshot cluster.json --scenario zone-lost --zone eu-1a --svg zone.svg
  $ slipway simulate --control-plane --scenario bad-push --service web --image exits
  $ slipway simulate --control-plane --scenario redis-gone --lasts 5 --output json
A snapshot holds at most ${largest.instances} instances and ${largest.tasks} tasks, and nothing secret. Exit codes: 0 every service kept
its minimum, 3 one did not, 2 the question or the snapshot is wrong.`;
