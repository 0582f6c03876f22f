import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  CreateServiceCommand,
  DescribeContainerInstancesCommand,
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  ListContainerInstancesCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  type Task,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtClient } from '../testbed/clients/programs.ts';
import { type CommandResult, run, until } from '../testbed/command.ts';
import { missingDocker } from '../testbed/docker.ts';
import { missingHosts, type TestHost } from '../testbed/hosts.ts';
import { agentLogs, crashAgent, type Machines, makeTaskRoles, openMachines } from '../testbed/machines.ts';

/**
 * A service on two hosts that has all of what a task may ask for (a secret, a parameter, a file of variables, a file system, a log router),
 * while agents and the server are killed in the middle of commands, of copies and of mounts.
 */
const router = await builtClient('forward-router');
const missing = router.missing ?? missingHosts() ?? (await missingDocker());
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const slipway = join(import.meta.dirname, '..', 'cli', 'main.ts');
const planted = { password: 'canary-pass-c20e', parameter: 'canary-param-8b13', header: 'canary-header-f6d9' };
const patient = 180_000;

describe.skipIf(missing !== undefined)(
  `a service with all that a task may ask for, on two hosts${missing === undefined ? '' : ` (${missing})`}`,
  { timeout: 600_000 },
  () => {
    const share = mkdtempSync(join(tmpdir(), 'slipway-settings-'));
    let machines: Machines;
    let tasks: { readonly arn: string; readonly id: string; readonly host: TestHost }[];
    let volumes: object[];
    let fileSystem: string;

    const json = <T>(...args: readonly string[]): Promise<T> => machines.joined.aws.json<T>(args);
    const command = (...args: readonly string[]): Promise<CommandResult> =>
      run(process.execPath, [slipway, ...args], { env: machines.joined.server.aws(), timeout: 300_000 });
    const failing = (cause: unknown): never => {
      const { joined, made, folder } = machines;
      throw new Error(`${joined.server.log.slice(-5_000)}\n${agentLogs(made, folder)}`, { cause });
    };
    const all = async (arns: readonly string[]): Promise<Task[]> =>
      (await machines.ecs.send(new DescribeTasksCommand({ tasks: [...arns] }))).tasks ?? [];

    /** The service's tasks, once one runs on each host. */
    const running = (): Promise<typeof tasks> =>
      until('a task on each host', patient, async () => {
        const { taskArns = [] } = await machines.ecs.send(new ListTasksCommand({ serviceName: 'shop' }));
        const found = taskArns.length === 2 ? await all(taskArns) : [];
        if (!found.every(({ containers = [] }) => containers.every(({ lastStatus }) => lastStatus === 'RUNNING')))
          return undefined;
        const named = await Promise.all(
          found.map(async ({ taskArn: arn = '' }) => {
            const label = `label=com.amazonaws.ecs.task-arn=${arn}`;
            const on = machines.made.hosts.map((host) => host.docker('ps', '--quiet', '--filter', label));
            const at = (await Promise.all(on)).findIndex((printed) => printed !== '');
            return { arn, id: arn.slice(-32), host: machines.made.hosts[at] };
          }),
        );
        const there = named.flatMap(({ arn, id, host }) => (host === undefined ? [] : [{ arn, id, host }]));
        return new Set(there.map(({ host }) => host)).size === 2 && there;
      }).catch(failing);

    beforeAll(async () => {
      const [program] = router.command('/');
      machines = await openMachines(
        (reference) => ({ reference, programs: { '/bin/router': program }, command: ['/bin/sh'] }),
        {
          hosts: 2,
          own: () => ({ ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION: '1s' }),
          options: ['--allow', `efs:${share}`],
        },
      );
      const Action = ['secretsmanager:GetSecretValue', 'ssm:GetParameters', 's3:GetObject'];
      const policy = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action, Resource: '*' }] });
      const role = async (): Promise<void> => {
        await makeTaskRoles(machines.joined.aws, { execution: 'service-role/AmazonECSTaskExecutionRolePolicy' });
        const names = ['--role-name', 'execution', '--policy-name', 'more'];
        await json('iam', 'put-role-policy', ...names, '--policy-document', policy);
      };
      const secret = JSON.stringify({ password: planted.password });
      const parameter = (name: string, value: string): Promise<unknown> =>
        json('ssm', 'put-parameter', '--name', name, '--type', 'SecureString', '--value', value);
      const variables = async (): Promise<void> => {
        const file = join(machines.folder, 'shop.env');
        writeFileSync(file, 'PLACE=from a file\n');
        await machines.joined.aws.run(['s3', 'mb', 's3://settings']);
        await machines.joined.aws.run(['s3', 'cp', '--quiet', file, 's3://settings/shop.env']);
      };
      const shared = async (): Promise<string> => {
        const { FileSystemId: id } = await json<Record<string, string>>(
          'efs',
          'create-file-system',
          '--creation-token',
          'shop',
        );
        const where = ['--file-system-id', id ?? '', '--subnet-id', machines.subnets[0] ?? ''];
        await json('efs', 'create-mount-target', ...where);
        return id ?? '';
      };
      // Nothing of it needs another, and each command takes a second to start.
      const [made, { ARN }] = await Promise.all([
        shared(),
        json<{ ARN: string }>('secretsmanager', 'create-secret', '--name', 'db', '--secret-string', secret),
        role(),
        parameter('/mode', planted.parameter),
        parameter('/header', planted.header),
        variables(),
      ]);
      fileSystem = made;
      volumes = [{ name: 'data', efsVolumeConfiguration: { fileSystemId: fileSystem } }];
      const given = `${planted.password} ${planted.parameter} from a file`;
      const hash = createHash('sha256').update(given).digest('hex');
      // What it was given is looked at in the container: a definition is no place for it.
      const script = `
        test "$(printf %s "$PASSWORD $MODE $PLACE" | busybox sha256sum)" = "${hash}  -" || exit 3
        busybox hostname > "/data/on-$(busybox hostname)"
        trap "exit 0" TERM
        while :; do echo tick; sleep 0.5; done`;
      await machines.ecs.send(
        new RegisterTaskDefinitionCommand({
          family: 'shop',
          executionRoleArn: 'arn:aws:iam::000000000000:role/execution',
          volumes,
          containerDefinitions: [
            {
              name: 'app',
              image: machines.image,
              memory: 32,
              stopTimeout: 2,
              command: ['/bin/sh', '-c', script],
              mountPoints: [{ sourceVolume: 'data', containerPath: '/data' }],
              secrets: [
                { name: 'PASSWORD', valueFrom: `${ARN}:password::` },
                { name: 'MODE', valueFrom: '/mode' },
              ],
              environmentFiles: [{ type: 's3', value: 'arn:aws:s3:::settings/shop.env' }],
              logConfiguration: {
                logDriver: 'awsfirelens',
                options: { Name: 'http', Host: 'logs.example' },
                secretOptions: [{ name: 'header', valueFrom: '/header' }],
              },
            },
            {
              name: 'router',
              image: machines.image,
              memory: 64,
              command: ['/bin/router', '/fluent-bit/etc/fluent-bit.conf'],
              firelensConfiguration: { type: 'fluentbit' },
            },
          ],
        }),
      );
      await machines.ecs.send(
        new CreateServiceCommand({
          serviceName: 'shop',
          taskDefinition: 'shop',
          desiredCount: 2,
          enableExecuteCommand: true,
          placementConstraints: [{ type: 'distinctInstance' }],
        }),
      );
      tasks = await running();
    }, 600_000);

    afterAll(async () => {
      await machines?.[Symbol.asyncDispose]();
      rmSync(share, { recursive: true, force: true });
    }, 600_000);

    /** Every file below a folder that is still there when it is read: servers and agents go on working in it. */
    const contents = (path: string): string => {
      try {
        const found = lstatSync(path);
        if (!found.isDirectory()) return found.isFile() ? readFileSync(path, 'latin1') : '';
        return readdirSync(path)
          .map((name) => contents(join(path, name)))
          .join('\n');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
        throw error;
      }
    };

    test('has it all on each host, and none of its secrets is anywhere else', async () => {
      const written = readdirSync(join(share, fileSystem)).filter((name) => name.startsWith('on-'));
      expect(written).toHaveLength(2);
      const inspected: string[] = [];
      const printed: string[] = [];
      for (const { arn, host } of tasks) {
        const label = ['--filter', `label=com.amazonaws.ecs.task-arn=${arn}`];
        const of = (name: string) =>
          host.docker('ps', '-q', ...label, '--filter', `label=com.amazonaws.ecs.container-name=${name}`);
        const lines = await until('lines that were routed', patient, async () => {
          const text = await host.docker('logs', await of('router'));
          return text.includes('"log":"tick"') ? text : undefined;
        }).catch(failing);
        const [variable = ''] = lines.split('\n');
        expect(JSON.parse(variable)).toEqual({ variable: 'header_0', length: planted.header.length });
        printed.push(lines);
        const ids = (await host.docker('ps', '--all', '--quiet')).split('\n');
        for (const info of JSON.parse(await host.docker('inspect', ...ids)) as { Config: { Env?: unknown } }[])
          // What its engine hands to a process, as on ECS.
          inspected.push(JSON.stringify({ ...info, Config: { ...info.Config, Env: undefined } }));
        // Beside them its engine keeps the environments of its containers.
        const engine = dirname(host.dockerHost.replace('unix://', ''));
        printed.push(readFileSync(join(engine, 'dockerd.log'), 'latin1'));
      }
      const { ecs, joined } = machines;
      const { containerInstanceArns } = await ecs.send(new ListContainerInstancesCommand({}));
      const shown = JSON.stringify([
        await all(tasks.map(({ arn }) => arn)),
        await ecs.send(new DescribeServicesCommand({ services: ['shop'] })),
        await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: 'shop' })),
        await ecs.send(new DescribeContainerInstancesCommand({ containerInstances: containerInstanceArns })),
        await json('secretsmanager', 'list-secrets'),
        await json('ssm', 'describe-parameters'),
        await (await fetch(`${joined.server.endpoint}/metrics`)).text(),
      ]);
      const places = {
        // Of the server (records, blobs, logs, metrics, audit), and the agents' states and logs.
        kept: contents(machines.folder),
        log: joined.server.log,
        share: contents(share),
        inspected: inspected.join('\n'),
        printed: printed.join('\n'),
        shown,
      };
      expect(places.kept).toContain('/mode');
      const found = Object.entries(places).flatMap(([place, text]) =>
        Object.values(planted).flatMap((value) =>
          [value, Buffer.from(value).toString('base64').slice(0, -4)].flatMap((form) =>
            text.includes(form) ? [`${value} in ${place}`] : [],
          ),
        ),
      );
      expect(found).toEqual([]);
    });

    test('commands and copies end with an agent or a server that is killed in the middle, leave nothing, and begin anew', async () => {
      const [{ id, host } = { id: '', host: machines.host }] = tasks;
      const here = mkdtempSync(join(machines.folder, 'here-'));
      const inside = (...words: readonly string[]) => command('exec', id, '-c', 'app', '--', ...words);
      expect((await inside('busybox', 'truncate', '-s', '16G', '/tmp/big')).code).toBe(0);
      // The server first: what is in the middle then takes longest to end (see below).
      const kills = {
        server: async (): Promise<void> => {
          await machines.joined.server.stop('SIGKILL');
          await machines.joined.server.start();
        },
        agent: () => crashAgent(host, machines.folder),
      };
      const sessions: Promise<CommandResult>[] = [];
      for (const [who, kill] of Object.entries(kills)) {
        sessions.push(inside('sh', '-c', `busybox touch /data/begun-${who}; while :; do sleep 1; done`));
        await until('the command', patient, async () => existsSync(join(share, fileSystem, `begun-${who}`)));
        const copy = command('cp', '-c', 'app', `${id}:/tmp/big`, join(here, 'big'));
        const held = (): string[] => readdirSync(here).map((name) => join(here, name, 'big'));
        await until('some of the copy', patient, async () => held().some((name) => statSync(name).size > 0), 20);
        await kill();
        expect((await copy).code).toBe(1);
        expect(readdirSync(here)).toEqual([]);
        await until('another command', patient, async () => (await inside('busybox', 'true')).code === 0).catch(
          failing,
        );
        expect((await command('cp', '-c', 'app', `${id}:/etc/hostname`, join(here, 'name'))).code).toBe(0);
        rmSync(join(here, 'name'));
      }
      // A client whose server died asks the next one for its session, and is told by the host that it is over.
      expect((await Promise.all(sessions)).map(({ code }) => code === 0)).toEqual([false, false]);
      // Nobody's death has cost a task.
      expect((await running()).map(({ arn }) => arn).sort()).toEqual(tasks.map(({ arn }) => arn).sort());
    });

    test('an agent that is killed while it mounts file systems mounts them once it is back, and leaves none', async () => {
      const { ecs, made, folder, image } = machines;
      await ecs.send(
        new RegisterTaskDefinitionCommand({
          family: 'job',
          networkMode: 'none',
          volumes,
          containerDefinitions: [
            {
              name: 'main',
              image,
              memory: 16,
              mountPoints: [{ sourceVolume: 'data', containerPath: '/data' }],
              command: ['/bin/sh', '-c', 'busybox hostname > "/data/job-$(busybox hostname)"'],
            },
          ],
        }),
      );
      const { tasks: started = [] } = await ecs.send(new RunTaskCommand({ taskDefinition: 'job', count: 6 }));
      const arns = started.flatMap(({ taskArn }) => taskArn ?? []);
      for (const host of made.hosts) await crashAgent(host, folder);
      const stopped = await until('the end of all', patient, async () => {
        const found = await all(arns);
        return found.every(({ lastStatus }) => lastStatus === 'STOPPED') && found;
      }).catch(failing);
      expect([arns.length, stopped.map(({ containers }) => containers?.[0]?.exitCode)]).toEqual([6, Array(6).fill(0)]);
      expect(readdirSync(join(share, fileSystem)).filter((name) => name.startsWith('job-'))).toHaveLength(6);
      await until('their volumes to go', patient, async () => {
        const left = await Promise.all(
          made.hosts.map((host) => host.docker('volume', 'ls', '--format', '{{.Labels}}')),
        );
        return !arns.some((arn) => left.some((printed) => printed.includes(arn)));
      }).catch(failing);
    });
  },
);
