import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { CloudWatchClient, PutMetricAlarmCommand, SetAlarmStateCommand } from '@aws-sdk/client-cloudwatch';
import {
  CreateServiceCommand,
  type DeploymentConfiguration,
  type ECSClient,
  RegisterTaskDefinitionCommand,
  type Service,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { freePort } from '@slipway/storage/testing';
import {
  AwsCli,
  type Balanced,
  type Beside,
  type Call,
  describeWeb,
  ecsClient,
  LocalStage,
  makeBalancer,
  makeBeside,
  makeImage,
  missingDocker,
  ownAddresses,
  sdkOptions,
  shiftedBalancer,
  until,
  webImage,
} from '../testbed/index.ts';
import { ask } from './ask.ts';
import { measurePass } from './deployments-pass.ts';
import { median, quantile, render, type Row, type Section, short, writeSection } from './results.ts';

/**
 * `npm run bench:deployments [-- --pushes 5] [--json FILE]`: from the end of a push to all traffic on the new revision, by strategy; from an
 * alarm to the last request on a revision that it calls bad; requests that fail meanwhile; and what a pass over a large service costs.
 */
const { values: options } = parseArgs({
  options: { pushes: { type: 'string', default: '5' }, json: { type: 'string' } },
});
const pushes = Number(options.pushes);
const missing = await missingDocker();
if (missing !== undefined) throw new Error(`deployments cannot be measured here: ${missing}`);

const noBake = { bakeTimeInMinutes: 0 } as const;
const strategies: Readonly<Record<string, { readonly is: DeploymentConfiguration; readonly goal: string }>> = {
  'rolling, two tasks': { is: { strategy: 'ROLLING' }, goal: 'p50 under 3,000 ms' },
  'blue/green without bake time': { is: { strategy: 'BLUE_GREEN', ...noBake }, goal: 'p50 under 4,000 ms' },
  'linear, 50 % a step without bake time': {
    is: { strategy: 'LINEAR', ...noBake, linearConfiguration: { stepPercent: 50, stepBakeTimeInMinutes: 0 } },
    goal: '',
  },
  'canary, 10 % without bake time': {
    is: { strategy: 'CANARY', ...noBake, canaryConfiguration: { canaryPercent: 10, canaryBakeTimeInMinutes: 0 } },
    goal: '',
  },
};

/** Asks a load balancer all the time, over a connection of its own each time, and remembers who answered when. */
class Watch implements AsyncDisposable {
  asked = 0;
  failed = 0;
  /** Answers of one page one after another. */
  streak = 0;
  /** The page of the last answer. */
  page = '';
  readonly #last = new Map<string, number>();
  #isOver = false;
  readonly #work: readonly Promise<void>[];

  constructor({ host, port }: Pick<Balanced, 'host' | 'port'>, clients = 4) {
    this.#work = Array.from({ length: clients }, async () => {
      while (!this.#isOver) this.#note(await ask(host, port));
    });
  }

  /** When another page than this was answered last; milliseconds of `performance.now()`. */
  lastOther(page: string): number {
    return Math.max(0, ...[...this.#last].flatMap(([other, at]) => (other === page ? [] : [at])));
  }

  lastOf(page: string): number {
    return this.#last.get(page) ?? 0;
  }

  #note(page: string | undefined): void {
    this.asked++;
    if (page === undefined) {
      this.failed++;
      return;
    }
    this.streak = page === this.page ? this.streak + 1 : 1;
    this.page = page;
    this.#last.set(page, performance.now());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#work);
  }
}

/** The service whose deployments are measured, on a server of its own. */
class Bench implements AsyncDisposable {
  readonly #stage = new LocalStage('bench-deployments');
  #balanced: Balanced | undefined;
  #beside: Beside | undefined;
  #ecs: ECSClient | undefined;

  get balanced(): Balanced {
    if (this.#balanced === undefined) throw new Error('the load balancer is not made yet');
    return this.#balanced;
  }

  async open(): Promise<void> {
    const server = await this.#stage.serve({ SLIPWAY_WORKERS: '1', SLIPWAY_LB_ADDRESSES: ownAddresses() });
    await this.#stage.host();
    const image = await this.#stage.push('web:prod', webImage('', 'first'));
    const aws = new AwsCli(server.aws());
    const call: Call = (...words) => aws.json(words.flat());
    this.#balanced = await makeBalancer(aws, { port: await freePort(), from: '127.0.0.0/8' });
    this.#beside = await makeBeside(call, this.#balanced);
    this.#ecs = ecsClient(server);
    const container = { name: 'web', image, memory: 32, stopTimeout: 2, portMappings: [{ containerPort: 8080 }] };
    await this.#ecs.send(new RegisterTaskDefinitionCommand({ family: 'web', containerDefinitions: [container] }));
    await this.#ecs.send(
      new CreateServiceCommand({
        serviceName: 'web',
        taskDefinition: 'web',
        desiredCount: 2,
        loadBalancers: [{ targetGroupArn: this.#balanced.group, containerName: 'web', containerPort: 8080 }],
        tags: [{ key: 'slipway:follow', value: 'true' }],
      }),
    );
    await this.#settled();
  }

  /** Has the next deployments go another way. */
  async goBy(deploymentConfiguration: DeploymentConfiguration): Promise<void> {
    if (this.#ecs === undefined || this.#beside === undefined) throw new Error('the service is not made yet');
    const { group } = this.balanced;
    const plain = { targetGroupArn: group, containerName: 'web', containerPort: 8080 };
    const isRolling = deploymentConfiguration.strategy === 'ROLLING';
    await this.#ecs.send(
      new UpdateServiceCommand({
        service: 'web',
        deploymentConfiguration,
        loadBalancers: [isRolling ? plain : shiftedBalancer(group, this.#beside, 'web')],
      }),
    );
    await this.#settled();
  }

  /** Pushes an image whose page is this. @returns when the push was over */
  async push(page: string): Promise<number> {
    const image = `${this.#stage.server.registry}/web:prod`;
    await makeImage(this.#stage.docker, webImage(image, page));
    await this.#stage.docker.check(['push', image]);
    return performance.now();
  }

  /** Waits until the service runs nothing but this page, and no deployment is under way. */
  async only(page: string, watch: Watch): Promise<void> {
    await until(
      `everything to be ${page}`,
      300_000,
      () => Promise.resolve(watch.page === page && watch.streak > 200),
      5,
    );
    await this.#settled();
  }

  cloudWatch(): CloudWatchClient {
    return new CloudWatchClient(sdkOptions(this.#stage.server));
  }

  async #settled(): Promise<void> {
    await until('one deployment, which is over', 300_000, async () => {
      if (this.#ecs === undefined) return false;
      const { deployments = [], desiredCount, runningCount }: Service = await describeWeb(this.#ecs);
      return deployments.length === 1 && deployments[0]?.rolloutState === 'COMPLETED' && runningCount === desiredCount;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ecs?.destroy();
    await this.#stage[Symbol.asyncDispose]();
  }
}

const rows: Row[] = [];
const measured: Record<string, unknown> = {};
const add = (what: string, ours: string, goal: string): void => {
  rows.push({ what, ours, peer: '', ratio: '', goal });
  process.stdout.write(`${what}: ${ours}${goal === '' ? '' : ` (${goal})`}\n`);
};

const pass = measurePass(5_000, 51);
measured['pass'] = pass;
add(
  `a pass over a service of ${pass.tasks.toLocaleString('en-US')} tasks of each of two revisions, in the middle of a shift`,
  `median ${short(pass.median)} ms of a core, p90 ${short(pass.p90)} ms`,
  'under 20 ms',
);

await using bench = new Bench();
await bench.open();
let asked = 0;
let failed = 0;
for (const [name, { is, goal }] of Object.entries(strategies)) {
  await bench.goBy(is);
  const times: number[] = [];
  await using watch = new Watch(bench.balanced);
  for (let push = 1; push <= pushes; push++) {
    const page = `${name} ${push}`;
    const pushed = await bench.push(page);
    await bench.only(page, watch);
    times.push(watch.lastOther(page) - pushed);
  }
  measured[name] = times;
  asked += watch.asked;
  failed += watch.failed;
  const range = `${short(Math.min(...times))} to ${short(Math.max(...times))}`;
  add(
    `end of a push to the last answer of the old revision: ${name}`,
    `p50 ${short(median(times))} ms (${range})`,
    goal,
  );
}

const alarm = { alarmNames: ['bad'], enable: true, rollback: true };
const cloudWatch = bench.cloudWatch();
await cloudWatch.send(
  new PutMetricAlarmCommand({
    AlarmName: 'bad',
    Namespace: 'Bench',
    MetricName: 'Bad',
    Statistic: 'Sum',
    Period: 60,
    EvaluationPeriods: 1,
    Threshold: 1,
    ComparisonOperator: 'GreaterThanThreshold',
    TreatMissingData: 'ignore',
  }),
);
const state = (StateValue: 'OK' | 'ALARM') =>
  cloudWatch.send(new SetAlarmStateCommand({ AlarmName: 'bad', StateValue, StateReason: 'as the benchmark says' }));
await state('OK');
await bench.goBy({ strategy: 'BLUE_GREEN', bakeTimeInMinutes: 60, alarms: alarm });
const backs: number[] = [];
{
  await using watch = new Watch(bench.balanced);
  await until('an answer', 60_000, () => Promise.resolve(watch.page !== ''), 5);
  const { page: good } = watch;
  for (let round = 1; round <= pushes; round++) {
    const page = `bad ${round}`;
    await bench.push(page);
    await until(
      `${page} to have the traffic`,
      300_000,
      () => Promise.resolve(watch.page === page && watch.streak > 200),
      5,
    );
    await state('ALARM');
    const alarmed = performance.now();
    await bench.only(good, watch);
    backs.push(watch.lastOf(page) - alarmed);
    await state('OK');
  }
  asked += watch.asked;
  failed += watch.failed;
}
cloudWatch.destroy();
measured['alarm'] = backs;
add(
  'an alarm to the last answer of the revision that it calls bad, blue/green in its bake time',
  `p50 ${short(median(backs))} ms, p90 ${short(quantile(backs, 0.9))} ms`,
  'under 1,000 ms',
);
measured['requests'] = { asked, failed };
add(`requests that failed meanwhile, of ${asked.toLocaleString('en-US')}`, String(failed), '0');

const section: Section = {
  name: 'deployments',
  title: 'Deployments',
  command: 'npm run bench:deployments',
  notes: [
    'A service of two tasks that follows its tag, on this machine’s Docker engine, behind HAProxy where it is there; targets are looked at every 5 s, the shortest time that ELB knows. Four clients ask all the time, over a new connection for each request.',
    'A pass is what one look at a service decides, by the processor, without records.',
    `Work waiting for a core when it ended (load average of a minute): ${loadavg()[0]?.toFixed(1)} on ${cpus().length} cores.`,
  ],
  rows,
};
writeSection(section);
process.stdout.write(`${render(section)}\n`);
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(measured, undefined, 2)}\n`);
