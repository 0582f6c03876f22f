import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  CreateServiceCommand,
  DeleteServiceCommand,
  ECSClient,
  PutAttributesCommand,
  RegisterContainerInstanceCommand,
  RegisterTaskDefinitionCommand,
} from '@aws-sdk/client-ecs';
import { ServerProcess } from '../testbed/server-process.ts';
import { parseSnapshot } from './rehearsal/snapshot.ts';
import { smallSnapshot } from './rehearsal/testing.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'slipway-simulator-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A program with nothing but the two commands, in a process of its own. */
const program = `
  import { Command } from 'commander';
  import { register as simulate } from '${join(import.meta.dirname, 'commands.ts')}';
  import { register as placement } from '${join(import.meta.dirname, 'placement-command.ts')}';
  const program = new Command('slipway');
  simulate(program);
  placement(program);
  await program.parseAsync(process.argv.slice(1), { from: 'user' });
`;

async function slipway(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const options = { env: { ...process.env, ...env, NO_COLOR: '1' }, cwd: import.meta.dirname };
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program, '--', ...args], options);
  return stdout;
}

describe('slipway simulate on a workload', () => {
  test('answers with a table and a chart', async () => {
    const chart = join(folder, 'chart.svg');
    const text = await slipway([
      'simulate',
      '--mix',
      '60',
      '--hours',
      '4',
      '--instance-type',
      'm.4xlarge=16,65536',
      '--chart',
      chart,
    ]);
    expect(text).toMatch(/tasks, 3 zones, strategies slipway:best-fit/);
    expect(text).toMatch(/m\.4xlarge +\d+ +\d+\.\d +\d+\.\d/);
    expect(readFileSync(chart, 'utf8')).toContain('Instances in use: m.4xlarge');
  });

  test('says which type can never hold the workload', async () => {
    const text = await slipway([
      'simulate',
      '--mix',
      '60',
      '--hours',
      '1',
      '--instance-type',
      'nano=0.25,256',
      '--output',
      'json',
    ]);
    expect(JSON.parse(text)).toMatchObject({ types: [{ type: 'nano' }] });
    expect(text).not.toContain('instances');
  });

  test('a wrong file is refused with its name', async () => {
    await expect(slipway(['simulate', '--trace', join(folder, 'none.csv')])).rejects.toThrow('cannot read');
  });
});

describe('slipway simulate --control-plane', () => {
  const file = join(folder, 'cluster.json');
  const play = ['simulate', '--control-plane', '--snapshot', file];
  beforeAll(() => writeFileSync(file, JSON.stringify(smallSnapshot())));

  test('plays a snapshot, writes the picture, and its exit code says that every service kept its minimum', async () => {
    const svg = join(folder, 'redis.svg');
    const text = await slipway([...play, '--scenario', 'redis-gone', '--svg', svg]);
    expect(text).toMatch(/00:00 {2}scenario: the record store answers nobody\n/);
    expect(text).toMatch(/web +6 +3 +6 +never/);
    expect(text).toContain('every service kept its minimum');
    expect(readFileSync(svg, 'utf8')).toContain('data-course="web"');
  });

  test('exit code 3 says that a service fell below its minimum', async () => {
    const failure = await slipway([...play, '--zone', 'zone-1', '--lasts', '1', '--output', 'json']).catch(
      (error: { code: number; stdout: string }) => error,
    );
    expect(failure).toMatchObject({ code: 3 });
    expect(JSON.parse((failure as { stdout: string }).stdout)).toMatchObject({ scenario: 'zone-lost', kept: false });
  });

  test('refuses what cannot be played with a sentence', async () => {
    await expect(slipway([...play, '--scenario', 'flood'])).rejects.toThrow("there is no scenario 'flood'");
    await expect(slipway([...play, '--servers', '0'])).rejects.toThrow('--servers is a number from 1 to 9');
    await expect(slipway([...play, '--lasts', '0'])).rejects.toThrow('--lasts is a number of minutes from 1');
    await expect(slipway(['simulate', '--control-plane', '--snapshot', join(folder, 'none')])).rejects.toThrow(
      'cannot read',
    );
    const unused = 'means nothing with --control-plane';
    await expect(slipway([...play, '--trace', 'tasks.csv'])).rejects.toThrow(`--trace ${unused}`);
    await expect(slipway(['simulate', '--mix', '10', '--zone', 'a'])).rejects.toThrow(
      '--zone means nothing without --control-plane',
    );
    writeFileSync(join(folder, 'broken.json'), '{');
    await expect(slipway([...play.slice(0, 3), join(folder, 'broken.json')])).rejects.toThrow('is not a snapshot');
  });
});

describe('on a cluster, through the ECS API', () => {
  let server: ServerProcess;
  let env: Record<string, string>;

  beforeAll(async () => {
    server = new ServerProcess(await freePort(), join(folder, 'data'), {
      DOCKER_HOST: 'unix:///nonexistent/docker.sock',
    });
    await server.start();
    env = server.aws();
    const client = new ECSClient({
      endpoint: server.endpoint,
      region: env['AWS_REGION'] ?? 'us-east-1',
      credentials: { accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '' },
    });
    for (const zone of ['zone-a', 'zone-b']) {
      const { containerInstance } = await client.send(
        new RegisterContainerInstanceCommand({
          cluster: 'default',
          totalResources: [
            { name: 'CPU', type: 'INTEGER', integerValue: 2048 },
            { name: 'MEMORY', type: 'INTEGER', integerValue: 4096 },
            { name: 'PORTS', type: 'STRINGSET', stringSetValue: ['22'] },
            { name: 'PORTS_UDP', type: 'STRINGSET', stringSetValue: [] },
          ],
          attributes: [{ name: 'ecs.availability-zone', value: zone }],
        }),
      );
      const targetId = containerInstance?.containerInstanceArn ?? '';
      await client.send(
        new PutAttributesCommand({ cluster: 'default', attributes: [{ name: 'stack', value: zone, targetId }] }),
      );
    }
  });
  afterAll(() => server.stop());

  test('a snapshot holds the cluster, and nothing secret', async () => {
    const client = new ECSClient({
      endpoint: server.endpoint,
      region: env['AWS_REGION'] ?? 'us-east-1',
      credentials: { accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '' },
    });
    const secret = 'hunter2';
    await client.send(
      new RegisterTaskDefinitionCommand({
        family: 'web',
        containerDefinitions: [
          {
            name: 'app',
            image: 'example.test/web:1',
            memory: 64,
            command: ['run', secret],
            environment: [{ name: 'PASSWORD', value: secret }],
            healthCheck: { command: ['CMD', 'check', secret] },
            dockerLabels: { token: secret },
          },
        ],
      }),
    );
    await client.send(
      new CreateServiceCommand({
        serviceName: 'web',
        taskDefinition: 'web',
        desiredCount: 1,
        tags: [
          { key: 'slipway:follow', value: 'true' },
          { key: 'note', value: secret },
        ],
      }),
    );
    const text = await slipway(['simulate', 'snapshot', '--cluster', 'default'], env);
    expect(text).not.toContain(secret);
    expect(JSON.parse(text)).toMatchObject({
      format: 'slipway cluster snapshot',
      instances: [{ cpu: 2048, memory: 4096, agentConnected: false }, {}],
      definitions: [{ name: 'web:1', containers: [{ name: 'app', memory: 64, healthCheck: { interval: 30 } }] }],
      services: [{ name: 'web', definition: 'web:1', desiredCount: 1, follow: 'true', minimumHealthyPercent: 100 }],
    });
    expect(parseSnapshot('it', text).services).toHaveLength(1);
    await client.send(new DeleteServiceCommand({ service: 'web', force: true }));
  });

  test('placement explain counts what rules instances out, constraint by constraint', async () => {
    const args = [
      'placement',
      'explain',
      '--cpu',
      '512',
      '--memory',
      '9000',
      '--constraint',
      'attribute:stack == zone-a',
      '--output',
      'json',
    ];
    expect(JSON.parse(await slipway(args, env))).toMatchObject({
      feasible: 0,
      instances: 2,
      unplaceable: { code: 'AGENT', impossible: true, ruledOut: { AGENT: 2, 'RESOURCE:MEMORY': 2, MEMBEROF: 1 } },
    });
    expect(await slipway(args.slice(0, -2), env)).toContain(
      'It can never fit: the largest instance has 4096 MiB in total.',
    );
  });

  test('placement explain points at the character of a wrong expression', async () => {
    await expect(slipway(['placement', 'explain', '--constraint', 'attribute:stack = a'], env)).rejects.toThrow(
      /at character 17 of "attribute:stack = a"\nattribute:stack = a\n {16}\^/,
    );
  });

  test('simulate reports the cluster, what it needs and what a lost zone costs', async () => {
    const report: unknown = JSON.parse(await slipway(['simulate', '--output', 'json'], env));
    expect(report).toMatchObject({
      instances: 2,
      tasks: 0,
      zones: [{ zone: 'zone-a', instancesLost: 1, unplaced: [] }, { zone: 'zone-b' }],
      rebalancer: { moves: 0 },
    });
  });
});
