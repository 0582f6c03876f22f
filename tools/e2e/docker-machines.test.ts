import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { dockerProvider, whatLacks } from '@slipway/scheduler/scaling/providers';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { AwsCli, missingAwsCli } from '../testbed/aws-cli.ts';
import { type Balanced, makeBalancer, makeService, makeTargetImage, underLoad } from '../testbed/balanced-service.ts';
import { check, type CommandResult, run, until } from '../testbed/command.ts';
import { makeImage, missingDocker, webImage } from '../testbed/docker.ts';
import { describeReport } from '../testbed/load/index.ts';
import { LocalStage } from '../testbed/local-stage.ts';
import { shellBlocks } from '../testbed/readme.ts';
import { ownAddresses, type ServerProcess } from '../testbed/server-process.ts';

/**
 * The README's hosts that come and go, typed: machines of this computer, for the tasks of its first service, and of another one behind a load
 * balancer, which loses no request while they go.
 */
const missing = (await missingAwsCli()) ?? (await missingDocker()) ?? (await whatLacks());
if (missing !== undefined && process.env['CI']) throw new Error(`${missing} on this machine`);

vi.setConfig({ testTimeout: 2_400_000, hookTimeout: 600_000 });

const stage = new LocalStage('machines');
const machines = join(stage.folder, 'data', 'machines');
let server: ServerProcess;
let aws: AwsCli;
let balanced: Balanced;
/** Of the service behind the load balancer. */
let target: string;

beforeAll(async () => {
  if (missing !== undefined) return;
  server = await stage.serve({
    SLIPWAY_AGENT: 'off',
    SLIPWAY_WORKERS: '1',
    SLIPWAY_HEALTHY_AFTER_SECONDS: '1',
    SLIPWAY_INSTANCE_PROVIDERS: 'here=docker range=198.19.202.0/28 most=4',
    SLIPWAY_LB_ADDRESSES: ownAddresses(),
  });
  aws = new AwsCli(server.aws());
  await makeImage(stage.docker, webImage(`${stage.image}:latest`, 'hello'));
  target = await stage.push('target:1', (reference) => makeTargetImage(stage.docker, reference));
  balanced = await makeBalancer(aws, { port: await freePort(), from: '127.0.0.0/8' });
});

afterAll(async () => {
  if (missing !== undefined) return;
  await server.stop();
  // Of a test that failed.
  const range = { base: 0, length: 32 };
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const left = dockerProvider({ name: 'here', folder: machines, range, most: 1, agent: [], env: {}, log });
  for (const id of made()) await left.terminate(id, '', new AbortController().signal);
  await stage[Symbol.asyncDispose]();
});

const made = (): string[] => (existsSync(machines) ? readdirSync(machines).toSorted() : []);

const type = (block: string): Promise<CommandResult> => stage.type(block, 500_000);

interface Group {
  readonly Instances: readonly { readonly InstanceId: string; readonly LifecycleState: string }[];
}
async function inService(): Promise<string[]> {
  const described = ['autoscaling', 'describe-auto-scaling-groups'];
  const [group] = (await aws.json<{ AutoScalingGroups: Group[] }>(described)).AutoScalingGroups;
  const serving = group?.Instances.filter(({ LifecycleState }) => LifecycleState === 'InService') ?? [];
  return serving.map(({ InstanceId }) => InstanceId).toSorted();
}

interface TargetHealth {
  readonly Target: { readonly Id: string };
  readonly TargetHealth: { readonly State: string };
}
/** The machines that the load balancer sends requests to; undefined while one of its targets gets none yet, or any more. */
async function asked(): Promise<string[] | undefined> {
  const { TargetHealthDescriptions: targets } = await aws.json<{ TargetHealthDescriptions: TargetHealth[] }>(
    ['elbv2', 'describe-target-health', '--target-group-arn'].concat(balanced.group),
  );
  return targets.every(({ TargetHealth: { State } }) => State === 'healthy')
    ? targets.map(({ Target }) => Target.Id).toSorted()
    : undefined;
}

const toBeAsked = (count: number): Promise<string[]> =>
  until(`${count} targets`, 600_000, async () => {
    const ids = await asked();
    return ids?.length === count && ids;
  }).catch(explained);

/** With what the group and its machines say of themselves. */
async function explained(cause: unknown): Promise<never> {
  const { stdout } = await aws.run(['autoscaling', 'describe-scaling-activities']);
  const logs = await Promise.all(made().map((id) => run('tail', ['-n', '40', join(machines, id, 'machine.log')])));
  throw new Error([stdout, ...logs.map((log) => log.stdout), server.log.slice(-3000)].join('\n'), { cause });
}

test.skipIf(missing !== undefined)(
  `hosts come with the tasks of a capacity provider, outlive the server, and go with them, and no request fails meanwhile${missing === undefined ? '' : ` (${missing})`}`,
  async () => {
    const [first = ''] = shellBlocks('README.md', 'The same, step by step');
    const [comes = '', goes = ''] = shellBlocks('README.md', 'Hosts that come and go');
    const [pushed = ''] = first.split(/^npx slipway follow/m);
    const begun = await type(pushed);
    expect(begun.code, begun.stdout + begun.stderr).toBe(0);
    expect(made()).toEqual([]);
    const [makes = '', moves = ''] = comes.split(/^(?=aws ecs update-service)/m);
    const set = await type(`eval "$(npx slipway env)"\n${makes}`);
    expect(set.code, set.stdout + set.stderr).toBe(0);
    // A third one for another service, whose tasks have a host each too.
    await aws.json(['autoscaling', 'update-auto-scaling-group', '--auto-scaling-group-name=hosts', '--max-size=3']);
    await makeService(aws, { name: 'shop', image: target, group: balanced.group, count: 3 }, [
      '--placement-constraints',
      'type=distinctInstance',
      '--capacity-provider-strategy',
      'capacityProvider=hosts',
    ]);
    const moved = await type(`eval "$(npx slipway env)"\n${moves}`);
    if (moved.code !== 0) await explained(moved.stdout + moved.stderr);
    const hosts = await until('three machines in service', 600_000, async () => {
      const ids = await inService();
      return ids.length === 3 && ids;
    }).catch(explained);
    expect(made()).toEqual(expect.arrayContaining(hosts));
    expect(await toBeAsked(3)).toEqual(hosts);
    // Two run a task of the first service, which this computer reaches.
    const { taskArns } = await aws.json<{ taskArns: string[] }>(['ecs', 'list-tasks', '--service-name', 'web']);
    const { tasks } = await aws.json<{ tasks: { containerInstanceArn: string; containers: Container[] }[] }>(
      ['ecs', 'describe-tasks', '--tasks'].concat(taskArns),
    );
    expect(new Set(tasks.map(({ containerInstanceArn }) => containerInstanceArn)).size).toBe(2);
    const answers = await Promise.all(
      tasks.map(async ({ containerInstanceArn, containers: [container] }) => {
        const url = `http://${await addressOf(containerInstanceArn)}:${container?.networkBindings[0]?.hostPort}`;
        return until('an answer', 180_000, async () => (await fetch(url)).text());
      }),
    );
    expect(answers.map((text) => text.trim())).toEqual(['hello', 'hello']);
    // Its processes are not the server's.
    await server.stop();
    await server.start();
    await until('all agents again', 180_000, async () => (await connected()).length === 3).catch(explained);
    expect(await inService()).toEqual(hosts);
    expect(await toBeAsked(3)).toEqual(hosts);
    const report = await underLoad('127.0.0.1', balanced, () => leaveOne(goes), {
      mix: { busy: 1, posting: 1, thinking: 1, fresh: 1, slow: 1, events: 1, chunked: 1, webSocket: 1 },
      ease: 10,
    });
    expect(report.failures, `${describeReport(report)}\n${server.log.slice(-5_000)}`).toEqual([]);
    await shop(0);
    await until('no machine', 600_000, async () => (await inService()).length === 0 && made().length === 0).catch(
      explained,
    );
    const left = await Promise.all([
      check('ip', ['netns', 'list']),
      check('iptables', ['-w', '60', '-S']),
      check('iptables', ['-w', '60', '-t', 'nat', '-S']),
      check('ps', ['-eo', 'args']),
    ]);
    expect(hosts.filter((id) => left.join('\n').includes(id) || existsSync(join(runs, id)))).toEqual([]);
  },
);

/** Where machines have their sockets while they run. */
const runs = '/run/slipway-machines';

const shop = (count: number): Promise<unknown> =>
  aws.json(['ecs', 'update-service', '--service=shop', `--desired-count=${count}`]);

/** Has one task and one machine stay: of those that are empty then, as nothing runs on them, after one that the task had to leave. */
async function leaveOne(goes: string): Promise<void> {
  const gone = await type(`eval "$(npx slipway env)"\n${goes}`);
  expect(gone.code, gone.stdout + gone.stderr).toBe(0);
  await shop(1);
  const [busy = ''] = await toBeAsked(1);
  const ends = ['autoscaling', 'terminate-instance-in-auto-scaling-group', '--should-decrement-desired-capacity'];
  await aws.json([...ends, '--instance-id', busy]);
  const [stays] = await until('one machine that is asked', 900_000, async () => {
    const [serving, targets] = [await inService(), await asked()];
    const ids = serving.join();
    return serving.length === 1 && targets?.join() === ids && made().join() === ids && serving;
  }).catch(explained);
  expect(stays).not.toBe(busy);
}

interface Container {
  readonly networkBindings: readonly { readonly hostPort: number }[];
}

const connected = async (): Promise<string[]> =>
  (
    await aws.json<{ containerInstanceArns: string[] }>(
      ['ecs', 'list-container-instances'].concat(['--filter', 'agentConnected==true']),
    )
  ).containerInstanceArns;

async function addressOf(instance: string): Promise<string> {
  const { containerInstances } = await aws.json<{
    containerInstances: { attributes: { name: string; value?: string }[] }[];
  }>(['ecs', 'describe-container-instances', '--container-instances', instance]);
  return containerInstances[0]?.attributes.find(({ name }) => name === 'slipway.address')?.value ?? '';
}
