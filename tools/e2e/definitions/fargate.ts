import type { RegisterTaskDefinitionRequest } from '@aws-sdk/client-ecs';
import { expect } from 'vitest';
import { appImage, page, type RunningTask, type Shape, shell, waiting, web } from './shape.ts';

const small = {
  networkMode: 'awsvpc',
  requiresCompatibilities: ['FARGATE'],
  cpu: '256',
  memory: '512',
} satisfies Partial<RegisterTaskDefinitionRequest>;

const logs = (prefix: string) => ({
  logDriver: 'awslogs' as const,
  options: { 'awslogs-group': '/ecs/fargate', 'awslogs-region': 'us-east-1', 'awslogs-stream-prefix': prefix },
});

const own = [{ containerPort: 8080, hostPort: 8080, protocol: 'tcp' }];
const role = 'arn:aws:iam::000000000000:role/ecsTaskExecutionRole';

/** The address that everybody reads from a task's attachment. */
const addressOf = async (task: RunningTask): Promise<string> =>
  (await task.running()).attachments?.[0]?.details?.find(({ name }) => name === 'privateIPv4Address')?.value ?? '';

const serves = async (task: RunningTask): Promise<void> => {
  const address = await addressOf(task);
  await task.until('web', page(`http://${address}:8080/`), /^hello$/);
};

/** Tasks with an address of their own: Fargate, and awsvpc on container instances. */
export const fargateShapes: readonly Shape[] = [
  {
    name: 'sample-fargate',
    sample: true,
    input: {
      ...small,
      executionRoleArn: role,
      runtimePlatform: { operatingSystemFamily: 'LINUX' },
      containerDefinitions: [
        {
          name: 'web',
          image: appImage,
          essential: true,
          entryPoint: ['sh', '-c'],
          command: ['echo serving; exec httpd -f -p 8080 -h /www'],
          portMappings: [{ containerPort: 8080, hostPort: 8080, protocol: 'tcp' }],
          logConfiguration: logs('fargate'),
        },
      ],
    },
    does: async (task) => {
      const described = await task.running();
      expect(described).toMatchObject({ launchType: 'FARGATE', platformVersion: '1.4.0', cpu: '256', memory: '512' });
      await serves(task);
      await expect.poll(() => task.logs('web'), { timeout: 180_000 }).toContain('serving');
    },
  },
  {
    name: 'fargate-sizes-in-words',
    input: {
      ...small,
      cpu: '0.25 vCPU',
      memory: '0.5 GB',
      containerDefinitions: [web({ memory: undefined, portMappings: [{ containerPort: 8080 }] })],
    },
    reads: { task: { cpu: '256', memory: '512' }, containers: { web: { memory: undefined, portMappings: own } } },
    does: serves,
  },
  {
    name: 'fargate-of-one-processor',
    input: { ...small, cpu: '1 vCPU', memory: '2GB', containerDefinitions: [web({ cpu: 512, memoryReservation: 32 })] },
    reads: { task: { cpu: '1024', memory: '2048' } },
    does: async (task) => {
      expect(await task.running()).toMatchObject({ cpu: '1024', memory: '2048' });
    },
  },
  {
    name: 'fargate-for-either-launch-type',
    input: { ...small, requiresCompatibilities: ['EC2', 'FARGATE'], containerDefinitions: [web()] },
    does: async (task) => {
      expect((await task.running()).launchType).toBe('FARGATE');
    },
  },
  {
    name: 'fargate-web-with-a-sidecar',
    sample: true,
    input: {
      ...small,
      containerDefinitions: [
        web({
          portMappings: [{ name: 'http', containerPort: 8080, appProtocol: 'http2' }],
          dependsOn: [{ containerName: 'sidecar', condition: 'HEALTHY' }],
        }),
        shell('sidecar', 'httpd -f -p 9901 -h /www & trap "exit 0" TERM; wait', {
          essential: false,
          healthCheck: { command: ['CMD-SHELL', page('http://127.0.0.1:9901/')], interval: 5, retries: 10 },
        }),
      ],
    },
    reads: {
      containers: {
        web: { portMappings: [{ name: 'http', ...own[0], appProtocol: 'http2' }] },
        sidecar: {
          healthCheck: { command: ['CMD-SHELL', page('http://127.0.0.1:9901/')], interval: 5, timeout: 5, retries: 10 },
        },
      },
    },
    does: async (task) => {
      await task.running();
      // One network for the task: each finds the other at localhost.
      await task.until('web', page('http://127.0.0.1:9901/'), /^hello$/);
      await task.until('sidecar', page('http://127.0.0.1:8080/'), /^hello$/);
    },
  },
  {
    name: 'fargate-read-only-with-limits',
    sample: true,
    input: {
      ...small,
      containerDefinitions: [
        web({
          readonlyRootFilesystem: true,
          user: '1000:1000',
          ulimits: [{ name: 'nofile', softLimit: 1024, hardLimit: 2048 }],
          linuxParameters: { initProcessEnabled: true, capabilities: { drop: ['ALL'] } },
          mountPoints: [{ sourceVolume: 'scratch', containerPath: '/scratch', readOnly: false }],
          stopTimeout: 30,
        }),
      ],
      volumes: [{ name: 'scratch' }],
    },
    reads: { task: { volumes: [{ name: 'scratch', host: {} }] } },
    does: async (task) => {
      await task.running();
      expect(await task.inside('web', 'ulimit -n; busybox id -u')).toBe('1024\n1000');
      expect(await task.inside('web', 'echo x > /www/x')).toMatch(/[Rr]ead-only/);
      expect(await task.inside('web', 'busybox grep CapBnd /proc/self/status')).toMatch(/0000000000000000$/);
      expect(await task.inside('web', 'busybox head -c 9 /proc/1/comm')).not.toMatch(/^sh/);
    },
  },
  {
    name: 'fargate-with-kernel-parameters',
    sample: true,
    input: {
      ...small,
      containerDefinitions: [
        web({
          systemControls: [
            { namespace: 'net.core.somaxconn', value: '2048' },
            { namespace: 'net.ipv4.tcp_keepalive_time', value: '45' },
          ],
        }),
      ],
    },
    does: async (task) => {
      await task.running();
      await task.until(
        'web',
        'busybox cat /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/tcp_keepalive_time',
        /^2048\n45$/,
      );
    },
  },
  {
    name: 'fargate-with-a-task-role',
    input: {
      ...small,
      taskRoleArn: 'arn:aws:iam::000000000000:role/app',
      executionRoleArn: role,
      containerDefinitions: [web()],
    },
    does: async (task) => {
      await task.running();
      const where = 'http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI';
      await task.until('web', page(where), /"RoleArn":"arn:aws:iam::000000000000:role\/app"/);
      expect(await task.inside('web', 'echo $AWS_EXECUTION_ENV')).toBe('AWS_ECS_FARGATE');
    },
  },
  {
    name: 'fargate-with-a-security-sidecar',
    sample: true,
    input: {
      ...small,
      pidMode: 'task',
      containerDefinitions: [
        web({ portMappings: [{ containerPort: 8080 }] }),
        shell('sensor', waiting, {
          essential: false,
          linuxParameters: { capabilities: { add: ['SYS_PTRACE'] } },
        }),
      ],
    },
    reads: { containers: { web: { portMappings: own } } },
    does: async (task) => {
      await serves(task);
      expect(await task.inside('sensor', 'busybox ps | busybox grep -c "[h]ttpd"')).toMatch(/^[1-9]/);
    },
  },
  {
    name: 'fargate-with-more-storage',
    sample: true,
    input: {
      ...small,
      ephemeralStorage: { sizeInGiB: 50 },
      containerDefinitions: [web({ mountPoints: [{ sourceVolume: 'scratch', containerPath: '/scratch' }] })],
      volumes: [{ name: 'scratch' }],
    },
    reads: { task: { volumes: [{ name: 'scratch', host: {} }] } },
    overrides: { ephemeralStorage: { sizeInGiB: 60 } },
    does: async (task) => {
      const told = await task.running();
      expect(told).toMatchObject({
        ephemeralStorage: { sizeInGiB: 60 },
        fargateEphemeralStorage: { sizeInGiB: 60 },
        overrides: { ephemeralStorage: { sizeInGiB: 60 } },
      });
      expect(told.attributes?.map(({ name }) => name)).toContain('slipway.storage');
    },
  },
  {
    name: 'fargate-for-arm',
    input: {
      ...small,
      runtimePlatform: { cpuArchitecture: 'ARM64', operatingSystemFamily: 'LINUX' },
      containerDefinitions: [web()],
    },
    unplaced: /MemberOf|ATTRIBUTE|constraint/i,
  },
  {
    name: 'awsvpc-on-container-instances',
    input: {
      networkMode: 'awsvpc',
      requiresCompatibilities: ['EC2'],
      containerDefinitions: [web({ portMappings: [{ containerPort: 8080 }] }), shell('other', waiting)],
    },
    reads: { containers: { web: { portMappings: own } } },
    does: async (task) => {
      const described = await task.running();
      expect(described.launchType).toBe('EC2');
      expect(described.containerInstanceArn).toMatch(/container-instance\/default\//);
      await serves(task);
    },
  },
  {
    name: 'awsvpc-with-names-of-its-own',
    input: {
      networkMode: 'awsvpc',
      containerDefinitions: [
        web({
          dnsServers: ['198.51.100.53'],
          dnsSearchDomains: ['shop.internal'],
          extraHosts: [{ hostname: 'db', ipAddress: '198.51.100.7' }],
        }),
      ],
    },
    does: async (task) => {
      await task.running();
      expect(await task.inside('web', 'busybox cat /etc/resolv.conf')).toMatch(
        /search shop\.internal[^]*nameserver 198\.51\.100\.53|nameserver 198\.51\.100\.53[^]*search shop\.internal/,
      );
      expect(await task.inside('web', 'busybox cat /etc/hosts')).toMatch(/198\.51\.100\.7\s+db/);
    },
  },
  {
    name: 'fargate-with-a-range-of-ports',
    input: { ...small, containerDefinitions: [web({ portMappings: [{ containerPortRange: '8080-8090' }] })] },
    reads: { containers: { web: { portMappings: [{ containerPortRange: '8080-8090', protocol: 'tcp' }] } } },
    does: async (task) => {
      await serves(task);
      expect((await task.running()).containers?.[0]?.networkBindings).toEqual([]);
    },
  },
  {
    // As the terraform-aws-modules and a vendor's agent have it.
    name: 'fargate-log-router',
    input: {
      ...small,
      executionRoleArn: role,
      containerDefinitions: [
        {
          name: 'log_router',
          image: appImage,
          // Both are in one network: only one of them serves the page.
          command: ['/bin/sh', '-c', waiting],
          essential: true,
          memoryReservation: 50,
          user: '0',
          firelensConfiguration: { type: 'fluentbit', options: { 'enable-ecs-log-metadata': 'true' } },
          logConfiguration: logs('router'),
        },
        web({
          dependsOn: [{ containerName: 'log_router', condition: 'START' }],
          logConfiguration: {
            logDriver: 'awsfirelens',
            options: { Name: 'datadog', Host: 'http-intake.logs.datadoghq.com', TLS: 'on', provider: 'ecs' },
          },
        }),
      ],
    },
    // What the router prints of its configuration; one that takes what is written is in `tools/e2e/firelens.test.ts`.
    does: async (task) => {
      await task.running();
      await task.until(
        'log_router',
        'busybox cat /fluent-bit/etc/fluent-bit.conf',
        /Listen 127\.0\.0\.1\n {4}Port 24224[^]*Name datadog\n {4}Match web-firelens\*/,
      );
      expect(await task.inside('web', 'echo $FLUENT_HOST:$FLUENT_PORT')).toBe('127.0.0.1:24224');
    },
  },
];
