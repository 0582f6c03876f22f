import { setTimeout as sleep } from 'node:timers/promises';
import { CreateServiceCommand, RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs';
import { freePort } from '@slipway/storage/testing';
import {
  AwsCli,
  type Balanced,
  describeWeb,
  ecsClient,
  LocalStage,
  makeBalancer,
  ownAddresses,
  until,
  webImage,
} from '../../testbed/index.ts';
import { ask } from '../ask.ts';

/** Requests a second: what two tasks carry, and what takes all eight, where a task is to have one each second. */
const [calm, busy] = [1, 10];
const [fewest, most] = [2, 8];
const patience = 300_000;
/** Milliseconds for which the load stays. */
const stays = 60_000;
/** Alarms of a quarter of an hour, by half of the tasks at once, twice. */
const inPatience = 3_600_000;

export interface FollowFigures {
  /** Milliseconds from the step of the load until eight tasks run, and from its end until two do. */
  readonly out: number;
  readonly back: number;
  readonly asked: number;
  readonly failed: number;
  /** Counts of tasks that ran, one after another. */
  readonly counts: readonly number[];
}

/** Asks so often a second as it is told, each time over a connection of its own, whether or not the last one was answered. */
class Load implements AsyncDisposable {
  perSecond: number = calm;
  asked = 0;
  failed = 0;
  #isOver = false;
  readonly #work: Promise<void>;
  readonly #open = new Set<Promise<void>>();

  constructor({ host, port }: Pick<Balanced, 'host' | 'port'>) {
    this.#work = (async () => {
      while (!this.#isOver) {
        this.asked++;
        const one = this.#one(host, port).finally(() => this.#open.delete(one));
        this.#open.add(one);
        await sleep(1000 / this.perSecond);
      }
    })();
  }

  async #one(host: string, port: number): Promise<void> {
    if ((await ask(host, port)) === undefined) this.failed++;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#work;
    await Promise.all(this.#open);
  }
}

/**
 * A service behind a load balancer, which target tracking of its requests has two to eight tasks: by load on this machine's Docker engine that grows and
 * is gone again, all the way out and back.
 */
export async function measureFollowing(): Promise<FollowFigures> {
  await using stage = new LocalStage('bench-following');
  const server = await stage.serve({ SLIPWAY_WORKERS: '1', SLIPWAY_LB_ADDRESSES: ownAddresses() });
  await stage.host();
  const image = await stage.push('web:1', webImage('', 'web'));
  const aws = new AwsCli(server.aws());
  const balanced = await makeBalancer(aws, { port: await freePort(), from: '127.0.0.0/8' });
  const ecs = ecsClient(server);
  try {
    const container = { name: 'web', image, memory: 32, stopTimeout: 2, portMappings: [{ containerPort: 8080 }] };
    await ecs.send(new RegisterTaskDefinitionCommand({ family: 'web', containerDefinitions: [container] }));
    await ecs.send(
      new CreateServiceCommand({
        serviceName: 'web',
        taskDefinition: 'web',
        desiredCount: fewest,
        loadBalancers: [{ targetGroupArn: balanced.group, containerName: 'web', containerPort: 8080 }],
      }),
    );
    const counts: number[] = [];
    const running = (count: number, within: number): Promise<boolean> =>
      until(
        `${count} tasks`,
        within,
        async () => {
          const { runningCount = 0, desiredCount } = await describeWeb(ecs);
          if (counts.at(-1) !== runningCount) counts.push(runningCount);
          return runningCount === count && desiredCount === count;
        },
        500,
      ).catch((cause: unknown) => {
        throw new Error(`there were ${counts.join(', ')} tasks, and not ${count}`, { cause });
      });
    await running(fewest, patience);
    await track(aws, balanced);
    await using load = new Load(balanced);
    await until('answers', patience, () => Promise.resolve(load.asked - load.failed > 20));
    // What was asked before a task was there is no loss of scaling.
    const before = { asked: load.asked, failed: load.failed };
    load.perSecond = busy;
    const began = performance.now();
    await running(most, patience);
    const out = performance.now() - began;
    await sleep(stays);
    load.perSecond = calm;
    const ended = performance.now();
    await running(fewest, inPatience);
    const back = performance.now() - ended;
    await sleep(20_000);
    return { out, back, asked: load.asked - before.asked, failed: load.failed - before.failed, counts };
  } finally {
    ecs.destroy();
  }
}

async function track(aws: AwsCli, { group }: Balanced): Promise<void> {
  const { TargetGroups } = await aws.json<{ TargetGroups: [{ LoadBalancerArns: [string] }] }>(
    ['elbv2', 'describe-target-groups', '--target-group-arns'].concat([group]),
  );
  const [balancer] = TargetGroups[0].LoadBalancerArns;
  const ResourceLabel = [balancer.split('loadbalancer/')[1], group.split(':').at(-1)].join('/');
  const target = [
    '--service-namespace=ecs',
    '--resource-id=service/default/web',
    '--scalable-dimension=ecs:service:DesiredCount',
  ];
  const scaling = (name: string, ...more: readonly string[]): Promise<unknown> =>
    aws.json(['application-autoscaling', name, ...target, ...more]);
  await scaling('register-scalable-target', `--min-capacity=${fewest}`, `--max-capacity=${most}`);
  await scaling(
    'put-scaling-policy',
    '--policy-name=requests',
    '--policy-type=TargetTrackingScaling',
    '--target-tracking-scaling-policy-configuration',
    JSON.stringify({
      TargetValue: 60,
      ScaleInCooldown: 0,
      PredefinedMetricSpecification: { PredefinedMetricType: 'ALBRequestCountPerTarget', ResourceLabel },
    }),
  );
}
