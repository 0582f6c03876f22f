import { randomUUID } from 'node:crypto';
import { globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { AwsCli, missingAwsCli } from '../testbed/aws-cli.ts';
import { until } from '../testbed/command.ts';
import { missingDocker } from '../testbed/docker.ts';
import { ServerProcess } from '../testbed/server-process.ts';

/** A group whose machines are made by a program: agents of their own beside this machine's engine, which join by the right they are given. */
const missing = (await missingAwsCli()) ?? (await missingDocker());
if (missing !== undefined && process.env['CI']) throw new Error(`${missing} on this machine`);

vi.setConfig({ testTimeout: 600_000 });

/** What `SLIPWAY_INSTANCE_PROVIDERS` names: a machine is a folder with the id of its agent's process. */
const program = `
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
const [, , folder, slipway] = process.argv;
const request = JSON.parse(readFileSync(0, 'utf8'));
const at = join(folder, request.id ?? '');
const file = join(at, 'machine.json');
if (request.operation === 'launch' && !existsSync(file)) {
  mkdirSync(at, { recursive: true });
  const log = openSync(join(folder, request.id + '.log'), 'a');
  const env = { ...process.env, ...request.settings, ECS_DATADIR: join(at, 'agent') };
  const options = { env, stdio: ['ignore', log, log], detached: true };
  const agent = spawn(slipway, ['agent', '--config', '/dev/null'], options);
  agent.unref();
  writeFileSync(file, JSON.stringify({ id: request.id, owner: request.owner, pid: agent.pid }));
}
if (request.operation === 'terminate' && existsSync(file)) {
  try {
    process.kill(-JSON.parse(readFileSync(file, 'utf8')).pid, 'SIGTERM');
  } catch {}
  rmSync(at, { recursive: true, force: true });
}
if (request.operation === 'list') {
  const files = readdirSync(folder).map((name) => join(folder, name, 'machine.json')).filter((path) => existsSync(path));
  const instances = files.map((path) => JSON.parse(readFileSync(path, 'utf8'))).filter(({ owner }) => owner === request.owner);
  console.log(JSON.stringify({ instances }));
}
`;

const folder = mkdtempSync(join(tmpdir(), 'slipway-groups-'));
const machines = join(folder, 'machines');
const slipway = join(import.meta.dirname, '..', 'bin', 'slipway');
const name = `machines-${randomUUID().slice(0, 8)}`;
let server: ServerProcess;
let aws: AwsCli;

beforeAll(async () => {
  if (missing !== undefined) return;
  mkdirSync(machines);
  const file = join(folder, 'lab.mjs');
  writeFileSync(file, program);
  server = new ServerProcess(await freePort(), join(folder, 'data'), {
    SLIPWAY_AGENT: 'off',
    SLIPWAY_WORKERS: '1',
    SLIPWAY_INSTANCE_PROVIDERS: `lab=${process.execPath} ${file} ${machines} ${slipway}`,
  });
  await server.start();
  aws = new AwsCli(server.aws());
});

afterAll(async () => {
  await server?.stop();
  // Agents of a test that failed.
  for (const file of globSync(join(machines, '*', 'machine.json')))
    process.kill(-(JSON.parse(readFileSync(file, 'utf8')) as { pid: number }).pid, 'SIGTERM');
  rmSync(folder, { recursive: true, force: true });
});

/** With what agents and the group say of themselves. */
async function explained(cause: unknown): Promise<never> {
  const { stdout } = await aws.run(['autoscaling', 'describe-scaling-activities']);
  throw new Error(`no machine is in service:\n${stdout}\n${agentLogs()}`, { cause });
}

const logs = (): string[] => readdirSync(machines).filter((one) => one.endsWith('.log'));
const agentLogs = (): string =>
  logs()
    .map((one) => readFileSync(join(machines, one), 'utf8').slice(-3000))
    .join('\n');

interface Group {
  readonly Instances: readonly { readonly InstanceId: string; readonly LifecycleState: string }[];
}
const group = async (): Promise<Group | undefined> =>
  (await aws.json<{ AutoScalingGroups: Group[] }>(['autoscaling', 'describe-auto-scaling-groups']))
    .AutoScalingGroups[0];

const inService = async (): Promise<string | undefined> =>
  (await group())?.Instances.find(({ LifecycleState }) => LifecycleState === 'InService')?.InstanceId;

const resize = (count: number): Promise<unknown> =>
  aws.run([
    'autoscaling',
    'set-desired-capacity',
    '--auto-scaling-group-name',
    name,
    '--desired-capacity',
    String(count),
  ]);

test.skipIf(missing !== undefined)(
  `machines of a group join the cluster that their user data names, with the role of their profile, and leave it${missing === undefined ? '' : ` (${missing})`}`,
  async () => {
    const trust = { Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' };
    const document = JSON.stringify({ Version: '2012-10-17', Statement: [trust] });
    await aws.json(['iam', 'create-role', '--role-name', 'machine', '--assume-role-policy-document', document]);
    const policy = 'arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role';
    await aws.run(['iam', 'attach-role-policy', '--role-name', 'machine', '--policy-arn', policy]);
    await aws.json(['iam', 'create-instance-profile', '--instance-profile-name', 'machine']);
    const profile = ['--instance-profile-name', 'machine', '--role-name', 'machine'];
    await aws.run(['iam', 'add-role-to-instance-profile', ...profile]);
    await aws.json(['ecs', 'create-cluster', '--cluster-name', 'lab']);
    const UserData = Buffer.from('#!/bin/bash\necho ECS_CLUSTER=lab >> /etc/ecs/ecs.config\n').toString('base64');
    const data = { InstanceType: 'm5.large', IamInstanceProfile: { Name: 'machine' }, UserData };
    const template = ['--launch-template-name', 'lab', '--launch-template-data', JSON.stringify(data)];
    await aws.json(['ec2', 'create-launch-template', ...template]);
    await aws.run(
      [
        'autoscaling',
        'create-auto-scaling-group',
        '--auto-scaling-group-name',
        name,
        '--min-size',
        '0',
        '--max-size',
        '2',
      ]
        .concat(['--desired-capacity', '1', '--launch-template', 'LaunchTemplateName=lab'])
        .concat(['--availability-zones', 'us-east-1a'])
        .concat([
          '--lifecycle-hook-specification-list',
          'LifecycleHookName=greet,LifecycleTransition=autoscaling:EC2_INSTANCE_LAUNCHING',
        ]),
    );
    // Somebody is asked about the first of them.
    const hook = ['--auto-scaling-group-name', name, '--lifecycle-hook-name', 'greet'];
    const waits = await until('a machine that waits for its hook', 180_000, async () =>
      (await group())?.Instances.find(({ LifecycleState }) => LifecycleState === 'Pending:Wait'),
    ).catch(explained);
    await aws.run(
      ['autoscaling', 'complete-lifecycle-action', ...hook].concat([
        '--lifecycle-action-result',
        'CONTINUE',
        '--instance-id',
        waits.InstanceId,
      ]),
    );
    const id = await until('a machine in service', 180_000, inService).catch(explained);
    expect(id).toBe(waits.InstanceId);
    await aws.run(['autoscaling', 'delete-lifecycle-hook', ...hook]);
    const { containerInstanceArns } = await aws.json<{ containerInstanceArns: string[] }>(
      ['ecs', 'list-container-instances', '--cluster', 'lab'].concat(['--filter', 'agentConnected==true']),
    );
    const { containerInstances } = await aws.json<{ containerInstances: Record<string, unknown>[] }>(
      ['ecs', 'describe-container-instances', '--cluster', 'lab', '--container-instances'].concat(
        containerInstanceArns,
      ),
    );
    expect(containerInstances).toHaveLength(1);
    expect(containerInstances[0]).toMatchObject({ ec2InstanceId: id, agentConnected: true });
    expect(containerInstances[0]?.['attributes']).toEqual(
      expect.arrayContaining([
        { name: 'slipway.auto-scaling-group', value: name },
        { name: 'ecs.availability-zone', value: 'us-east-1a' },
        { name: 'ecs.instance-type', value: 'm5.large' },
      ]),
    );
    // A machine that somebody ends is replaced.
    await aws.json(['ec2', 'terminate-instances', '--instance-ids', id]);
    await until('another machine', 180_000, async () => ![undefined, id].includes(await inService()));
    await resize(0);
    await until('no machine', 180_000, async () => (await group())?.Instances.length === 0);
    expect(readdirSync(machines).filter((one) => !one.endsWith('.log'))).toEqual([]);
    const { Activities } = await aws.json<{ Activities: { StatusCode: string }[] }>([
      'autoscaling',
      'describe-scaling-activities',
    ]);
    expect(new Set(Activities.map(({ StatusCode }) => StatusCode))).toEqual(new Set(['Successful']));
  },
);
