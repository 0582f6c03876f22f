import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { dockerProvider, whatLacks } from '@slipway/scheduler/scaling/providers';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { AwsCli, missingAwsCli } from '../testbed/aws-cli.ts';
import { check, type CommandResult, run, until } from '../testbed/command.ts';
import { makeImage, missingDocker, webImage } from '../testbed/docker.ts';
import { LocalStage } from '../testbed/local-stage.ts';
import { shellBlocks } from '../testbed/readme.ts';
import type { ServerProcess } from '../testbed/server-process.ts';

/** The README's hosts that come and go, typed: machines of this computer, for the tasks of its first service. */
const missing = (await missingAwsCli()) ?? (await missingDocker()) ?? (await whatLacks());
if (missing !== undefined && process.env['CI']) throw new Error(`${missing} on this machine`);

vi.setConfig({ testTimeout: 1_200_000, hookTimeout: 600_000 });

const stage = new LocalStage('machines');
const machines = join(stage.folder, 'data', 'machines');
let server: ServerProcess;
let aws: AwsCli;

beforeAll(async () => {
  if (missing !== undefined) return;
  server = await stage.serve({
    SLIPWAY_AGENT: 'off',
    SLIPWAY_WORKERS: '1',
    SLIPWAY_HEALTHY_AFTER_SECONDS: '1',
    SLIPWAY_INSTANCE_PROVIDERS: 'here=docker range=198.19.202.0/28 most=2',
  });
  aws = new AwsCli(server.aws());
  await makeImage(stage.docker, webImage(`${stage.image}:latest`, 'hello'));
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

/** With what the group and its machines say of themselves. */
async function explained(cause: unknown): Promise<never> {
  const { stdout } = await aws.run(['autoscaling', 'describe-scaling-activities']);
  const logs = await Promise.all(made().map((id) => run('tail', ['-n', '40', join(machines, id, 'machine.log')])));
  throw new Error([stdout, ...logs.map((log) => log.stdout), server.log.slice(-3000)].join('\n'), { cause });
}

test.skipIf(missing !== undefined)(
  `hosts come with the tasks of a capacity provider, outlive the server, and go with them${missing === undefined ? '' : ` (${missing})`}`,
  async () => {
    const [first = ''] = shellBlocks('README.md', 'The same, step by step');
    const [comes = '', goes = ''] = shellBlocks('README.md', 'Hosts that come and go');
    const [pushed = ''] = first.split(/^npx slipway follow/m);
    const begun = await type(pushed);
    expect(begun.code, begun.stdout + begun.stderr).toBe(0);
    expect(made()).toEqual([]);
    const set = await type(`eval "$(npx slipway env)"\n${comes}`);
    if (set.code !== 0) await explained(set.stdout + set.stderr);
    const hosts = await until('two machines in service', 180_000, async () => {
      const ids = await inService();
      return ids.length === 2 && ids;
    }).catch(explained);
    expect(made()).toEqual(expect.arrayContaining(hosts));
    // Each runs a task, which this computer reaches.
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
    await until('both agents again', 180_000, async () => (await connected()).length === 2).catch(explained);
    expect(await inService()).toEqual(hosts);
    const gone = await type(`eval "$(npx slipway env)"\n${goes}`);
    expect(gone.code, gone.stdout + gone.stderr).toBe(0);
    await until('no machine', 600_000, async () => (await inService()).length === 0 && made().length === 0).catch(
      explained,
    );
    const left = [await check('ip', ['netns', 'list']), await check('iptables', ['-w', '5', '-S'])].join('\n');
    expect(hosts.filter((id) => left.includes(id))).toEqual([]);
  },
);

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
