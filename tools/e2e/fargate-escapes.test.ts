import {
  DescribeTasksCommand,
  DiscoverPollEndpointCommand,
  ECSClient,
  RegisterContainerInstanceCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  SubmitTaskStateChangeCommand,
} from '@aws-sdk/client-ecs';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../testbed/command.ts';
import { missingDocker } from '../testbed/docker.ts';
import { missingHosts, type TestHost } from '../testbed/hosts.ts';
import { agentLogs, type Machines, makeTaskRoles, openMachines, type ServerForHosts } from '../testbed/machines.ts';

/** What a Fargate task sees of another one on its host, and of the host; whom it reaches is tried in `scheduler/hosts/agent/network/escapes.test.ts`. */
const missing = missingHosts() ?? (await missingDocker());
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

interface Running {
  readonly arn: string;
  readonly container: string;
  /** What its process has in its environment and its arguments, and nobody else. */
  readonly mark: string;
}

describe.skipIf(missing !== undefined)(
  `a Fargate task and what is not its own${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    let machines: Machines;
    let host: TestHost;
    let joined: ServerForHosts;
    let ecs: ECSClient;
    let here: Running;
    let there: Running;

    beforeAll(async () => {
      machines = await openMachines((reference) => ({ reference, command: ['/bin/sh'] }));
      ({ host, joined, ecs } = machines);
      const execution = 'service-role/AmazonECSTaskExecutionRolePolicy';
      await makeTaskRoles(joined.aws, { one: undefined, two: undefined, execution });
      here = await start('one');
      there = await start('two');
    }, 600_000);

    afterAll(async () => {
      await machines?.[Symbol.asyncDispose]();
    }, 600_000);

    async function start(role: string): Promise<Running> {
      const mark = `mark-${randomUUID()}`;
      await ecs.send(
        new RegisterTaskDefinitionCommand({
          family: role,
          requiresCompatibilities: ['FARGATE'],
          networkMode: 'awsvpc',
          cpu: '256',
          memory: '512',
          taskRoleArn: `arn:aws:iam::000000000000:role/${role}`,
          executionRoleArn: 'arn:aws:iam::000000000000:role/execution',
          volumes: [{ name: 'scratch' }],
          containerDefinitions: [
            {
              name: 'main',
              image: machines.image,
              environment: [{ name: 'MARK', value: mark }],
              mountPoints: [{ sourceVolume: 'scratch', containerPath: '/scratch' }],
              command: [
                '/bin/sh',
                '-c',
                `echo $MARK > /scratch/mark; echo $MARK > /tmp/mark; while :; do sleep 1; : ${mark}; done`,
              ],
            },
          ],
        }),
      );
      const { tasks = [], failures } = await ecs.send(
        new RunTaskCommand({
          taskDefinition: role,
          launchType: 'FARGATE',
          networkConfiguration: {
            awsvpcConfiguration: { subnets: machines.subnets, assignPublicIp: 'ENABLED' },
          },
        }),
      );
      const arn = tasks[0]?.taskArn;
      if (arn === undefined) throw new Error(JSON.stringify(failures));
      const container = await until(`the task of ${role}`, 180_000, async () => {
        const described = (await ecs.send(new DescribeTasksCommand({ tasks: [arn] }))).tasks?.[0];
        if (described?.lastStatus === 'STOPPED') throw new Error(described.stoppedReason);
        return described?.lastStatus === 'RUNNING' && described.containers?.[0]?.runtimeId;
      }).catch((cause: unknown) => {
        throw new Error(agentLogs(machines.made, machines.folder), { cause });
      });
      return { arn, container, mark };
    }

    const inside = async ({ container }: Running, script: string): Promise<string> => {
      const { stdout, stderr } = await host.exec(container, script);
      return `${stdout}${stderr}`.trim();
    };
    /** The same on the host, for what a task would see if it were not kept from it. */
    const outside = async (script: string): Promise<string> => (await host.run('sh', ['-c', script])).stdout;

    test('processes: its own alone, though both are on one host', async () => {
      const marks =
        'for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; tr "\\0" " " < $p/environ; done 2>/dev/null | grep -o "mark-[0-9a-f-]\\{36\\}" | sort -u';
      const busybox = marks.replaceAll(/\b(tr|grep|sort)\b/g, 'busybox $1');
      expect(await inside(here, busybox)).toBe(here.mark);
      expect(await inside(there, busybox)).toBe(there.mark);
      expect(await outside(marks)).toContain(there.mark);
      expect(await outside(marks)).toContain(here.mark);
    });

    test('files: neither those of the other task, of the engine and the agent, nor the disk that they are on', async () => {
      expect(await inside(here, 'busybox cat /scratch/mark /tmp/mark')).toBe(`${here.mark}\n${here.mark}`);
      const found =
        'busybox find / -xdev -type f -size -2 -exec busybox grep -l "^mark-" {} + 2>/dev/null | busybox sort';
      expect(await inside(here, found)).toBe('/tmp/mark');
      expect(
        await inside(here, 'busybox find / -name "docker*.sock" -o -name containerd.sock -o -name "*.db" 2>/dev/null'),
      ).toBe('');
      // Nor by the name of the disk: to have a device's number is not to have the device.
      const [major = '', minor = ''] = (await outside('stat -c "%Hd %Ld" /')).trim().split(' ');
      const disk = `busybox mknod /tmp/disk b ${major} ${minor} && busybox head -c 1 /tmp/disk`;
      expect(await inside(here, disk)).toMatch(/not permitted|permission denied/i);
      expect(await inside(here, 'busybox mount -t tmpfs none /mnt 2>&1 || busybox mount -o remount,rw /sys')).toMatch(
        /denied|not permitted/i,
      );
      // What the kernel would be told by a host's root.
      expect(await inside(here, 'echo 1 > /proc/sys/kernel/core_pattern')).toMatch(/read-only/i);
      expect(await inside(here, 'echo 1 > /sys/kernel/uevent_helper')).toMatch(/read-only|no such/i);
    });

    test('rights: none that reach beyond its namespaces', async () => {
      const capabilities = BigInt(
        `0x${await inside(here, "busybox sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status")}`,
      );
      // SYS_MODULE, SYS_RAWIO, SYS_PTRACE, SYS_ADMIN, SYS_BOOT, SYS_TIME; NET_ADMIN (capability.h).
      for (const bit of [16n, 17n, 19n, 21n, 22n, 25n, 12n]) expect(capabilities & (1n << bit)).toBe(0n);
      for (const name of ['pid', 'net', 'ipc', 'uts', 'mnt']) {
        const link = `readlink /proc/1/ns/${name}`;
        const own = [await inside(here, `busybox ${link}`), await inside(there, `busybox ${link}`)];
        expect(new Set([...own, (await outside(link)).trim()]).size).toBe(3);
      }
    });

    test('credentials: its own alone, and they are no rights of an agent', async () => {
      const uri = async (of: Running): Promise<string> => inside(of, 'echo $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI');
      const get = (of: Running, path: string): Promise<string> =>
        inside(of, `wget -q -O - http://169.254.170.2${path}`);
      const own = JSON.parse(await get(here, await uri(here))) as Record<
        'AccessKeyId' | 'SecretAccessKey' | 'Token' | 'RoleArn',
        string
      >;
      expect(own.RoleArn).toContain(':role/one');
      const stolen = await uri(there);
      expect(await get(there, stolen)).toContain(':role/two');
      expect(await get(here, stolen)).not.toContain('AccessKeyId');
      for (const path of ['/', '/v2/credentials/', '/v2/credentials/00000000000000000000000000000000'])
        expect(await get(here, path)).not.toContain('AccessKeyId');
      // Those of the execution role are the agent's to use: no variable tells of them.
      expect((await inside(here, 'busybox env')).match(/credentials\/\S+/g)).toHaveLength(1);
      const asTask = new ECSClient({
        endpoint: joined.server.endpoint,
        region: 'us-east-1',
        credentials: { accessKeyId: own.AccessKeyId, secretAccessKey: own.SecretAccessKey, sessionToken: own.Token },
        maxAttempts: 1,
      });
      try {
        const denied = { name: 'AccessDeniedException' };
        await expect(asTask.send(new DiscoverPollEndpointCommand({}))).rejects.toMatchObject(denied);
        await expect(asTask.send(new RegisterContainerInstanceCommand({}))).rejects.toMatchObject(denied);
        const lie = { task: there.arn, status: 'STOPPED' };
        await expect(asTask.send(new SubmitTaskStateChangeCommand(lie))).rejects.toMatchObject(denied);
      } finally {
        asTask.destroy();
      }
    });
  },
);
