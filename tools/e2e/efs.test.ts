import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DescribeTasksCommand,
  ListContainerInstancesCommand,
  RegisterTaskDefinitionCommand,
  StartTaskCommand,
  StopTaskCommand,
  type Task,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run, until } from '../testbed/command.ts';
import { missingDocker } from '../testbed/docker.ts';
import { missingHosts } from '../testbed/hosts.ts';
import { agentLogs, type Machines, openMachines } from '../testbed/machines.ts';

/** Tasks on two hosts with one folder for file systems, which the AWS command line makes. */
const missing = missingHosts() ?? (await missingDocker());
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const slipway = join(import.meta.dirname, '..', 'cli', 'main.ts');

describe.skipIf(missing !== undefined)(
  `file systems that tasks share${missing === undefined ? '' : ` (${missing})`}`,
  { timeout: 600_000 },
  () => {
    const share = mkdtempSync(join(tmpdir(), 'slipway-efs-'));
    let machines: Machines;
    let instances: string[];
    let fileSystem: string;
    let accessPoint: string;

    const efs = <T>(...args: readonly string[]): Promise<T> => machines.joined.aws.json<T>(['efs', ...args]);

    beforeAll(async () => {
      machines = await openMachines((reference) => ({ reference, command: ['/bin/sh'] }), {
        hosts: 2,
        own: () => ({ ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION: '1s' }),
        options: ['--allow', `efs:${share}`],
      });
      const { containerInstanceArns = [] } = await machines.ecs.send(new ListContainerInstancesCommand({}));
      instances = containerInstanceArns;
      ({ FileSystemId: fileSystem } = await efs<{ FileSystemId: string }>(
        'create-file-system',
        '--creation-token',
        'shop',
      ));
      await efs('create-mount-target', '--file-system-id', fileSystem, '--subnet-id', machines.subnets[0] ?? '');
      ({ AccessPointId: accessPoint } = await efs<{ AccessPointId: string }>(
        'create-access-point',
        '--file-system-id',
        fileSystem,
        '--posix-user',
        'Uid=1234,Gid=4321',
        '--root-directory',
        'Path=/web/data,CreationInfo={OwnerUid=1234,OwnerGid=4321,Permissions=0750}',
      ));
    }, 600_000);

    afterAll(async () => {
      await machines?.[Symbol.asyncDispose]();
      rmSync(share, { recursive: true, force: true });
    }, 600_000);

    /** Runs a script on a host, with a volume at /data; waits for its end. */
    async function play(host: number, script: string, volume: object): Promise<Task> {
      const started = await start(host, script, volume);
      return ended(started);
    }

    async function start(
      host: number,
      script: string,
      volume: object,
      networkMode: 'none' | 'awsvpc' = 'none',
    ): Promise<string> {
      const { taskDefinition } = await machines.ecs.send(
        new RegisterTaskDefinitionCommand({
          family: 'files',
          networkMode,
          volumes: [{ name: 'data', efsVolumeConfiguration: { fileSystemId: fileSystem, ...volume } }],
          containerDefinitions: [
            {
              name: 'main',
              image: machines.image,
              memory: 32,
              mountPoints: [{ sourceVolume: 'data', containerPath: '/data' }],
              command: ['/bin/sh', '-c', script],
              stopTimeout: 2,
            },
          ],
        }),
      );
      const { tasks = [], failures } = await machines.ecs.send(
        new StartTaskCommand({
          taskDefinition: taskDefinition?.taskDefinitionArn,
          containerInstances: [instances[host] ?? ''],
          ...(networkMode === 'none'
            ? {}
            : { networkConfiguration: { awsvpcConfiguration: { subnets: machines.subnets.slice(0, 1) } } }),
        }),
      );
      const arn = tasks[0]?.taskArn;
      if (arn === undefined) throw new Error(JSON.stringify(failures));
      return arn;
    }

    const status = async (arn: string): Promise<Task> => {
      const [task] = (await machines.ecs.send(new DescribeTasksCommand({ tasks: [arn] }))).tasks ?? [];
      if (task === undefined) throw new Error(`the task ${arn} is gone`);
      return task;
    };
    const reaches = async (arn: string, wanted: 'RUNNING' | 'STOPPED'): Promise<Task> =>
      until(`the task to be ${wanted}`, 180_000, async () => {
        const task = await status(arn);
        if (task.lastStatus === 'STOPPED' && wanted === 'RUNNING') throw new Error(task.stoppedReason);
        return task.lastStatus === wanted && task;
      }).catch((cause: unknown) => {
        throw new Error(agentLogs(machines.made, machines.folder), { cause });
      });
    const ended = (arn: string): Promise<Task> => reaches(arn, 'STOPPED');
    const exitCode = ({ containers, stoppedReason }: Task): unknown => containers?.[0]?.exitCode ?? stoppedReason;

    test('what a task writes on one host, a task on another one reads, as its access point has it', async () => {
      const point = { transitEncryption: 'ENABLED', authorizationConfig: { accessPointId: accessPoint } };
      const written = await play(0, 'busybox id -u > /data/who && echo hello > /data/greeting', point);
      expect(exitCode(written)).toBe(0);
      const folder = join(share, fileSystem, 'web', 'data');
      expect(statSync(folder)).toMatchObject({ uid: 1234, gid: 4321 });
      expect((statSync(folder).mode & 0o7777).toString(8)).toBe('750');
      expect(readFileSync(join(folder, 'who'), 'utf8')).toBe('1234\n');
      const read = await play(1, 'test "$(busybox cat /data/greeting)" = hello && ! echo x > /file', point);
      expect(exitCode(read)).toBe(0);
      // The whole of the file system, by another root of it, as root.
      const whole = await play(1, 'busybox rm /data/data/who', { rootDirectory: '/web/' });
      expect(exitCode(whole)).toBe(0);
      expect(readdirSync(folder)).toEqual(['greeting']);
    });

    test('a folder that is not there, and one that a link leads to, are not mounted', async () => {
      const absent = await play(0, 'true', { rootDirectory: '/nothing' });
      expect(absent.stoppedReason).toMatch(
        /^ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: mount\.nfs4: mounting fs-\w+:\/nothing failed, reason given by server: No such file or directory/,
      );
      symlinkSync('/etc', join(share, fileSystem, 'out'));
      const out = await play(0, 'busybox ls /data', { rootDirectory: '/out' });
      expect(out.stoppedReason).toContain('Not a directory');
      symlinkSync('/', join(share, fileSystem, 'up'));
      const up = await play(1, 'busybox ls /data', { rootDirectory: '/up/etc' });
      expect(up.stoppedReason).toContain('Not a directory');
      const other = await play(1, 'true', { fileSystemId: 'fs-0123456789abcdef0' });
      expect(other.stoppedReason).toContain('Failed to resolve "fs-0123456789abcdef0.efs.us-east-1.amazonaws.com"');
    });

    test('what a task has mounted stays what was looked at, and nothing of it is left on its host', async () => {
      const point = { transitEncryption: 'ENABLED', authorizationConfig: { accessPointId: accessPoint } };
      const arn = await start(0, 'while :; do sleep 1; done', point, 'awsvpc');
      await reaches(arn, 'RUNNING');
      const listed = await run(process.execPath, [slipway, 'volumes', '--output', 'json'], {
        env: machines.joined.server.aws(),
      });
      const rows = JSON.parse(listed.stdout) as { volume: string; mountTargets: number; tasks: { task: string }[] }[];
      expect(rows).toMatchObject([
        {
          volume: fileSystem,
          mountTargets: 1,
          tasks: [{ task: arn.split('/').at(-1), host: expect.any(String) as unknown }],
        },
      ]);
      // As a task with the whole file system could do, while containers start again.
      const folder = join(share, fileSystem, 'web', 'data');
      renameSync(folder, `${folder}-moved`);
      symlinkSync('/etc', folder);
      const holder = (
        await machines.host.docker('ps', '--quiet', '--filter', `label=com.amazonaws.ecs.task-arn=${arn}`)
      )
        .trim()
        .split('\n');
      const other = machines.made.hosts[1];
      const found = holder[0] === '' ? other : machines.host;
      if (found === undefined) throw new Error('there is no other host');
      const volumes = (
        await found.docker('volume', 'ls', '--quiet', '--filter', `label=com.amazonaws.ecs.task-arn=${arn}`)
      )
        .trim()
        .split('\n');
      expect(volumes).toHaveLength(1);
      const seen = await found.docker(
        'run',
        '--rm',
        '--volume',
        `${volumes[0] ?? ''}:/seen`,
        machines.image,
        '/bin/busybox',
        'ls',
        '/seen',
      );
      expect(seen.trim()).toBe('greeting');
      await machines.ecs.send(new StopTaskCommand({ task: arn }));
      await ended(arn);
      await until('the volume to go', 180_000, async () => {
        const left = await found.docker(
          'volume',
          'ls',
          '--quiet',
          '--filter',
          `label=com.amazonaws.ecs.task-arn=${arn}`,
        );
        return left.trim() === '';
      });
      expect(readdirSync(`${folder}-moved`)).toEqual(['greeting']);
      const again = await play(0, 'busybox ls /data', point);
      expect(again.stoppedReason).toContain('Not a directory');
    });
  },
);
