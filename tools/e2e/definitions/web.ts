import { expect } from 'vitest';
import { appImage, page, type Shape, shell, waiting, web } from './shape.ts';

const published = [{ containerPort: 8080, hostPort: 0, protocol: 'tcp' }];
const dynamic = { web: { portMappings: published } };

/** Web applications on a bridge: what most definitions for container instances are. */
export const webShapes: readonly Shape[] = [
  {
    name: 'web-on-a-dynamic-port',
    sample: true,
    input: { containerDefinitions: [web({ portMappings: [{ containerPort: 8080 }] })] },
    reads: { containers: dynamic },
    does: async (task) => {
      const { containers } = await task.running();
      const [binding] = containers?.[0]?.networkBindings ?? [];
      expect(binding).toMatchObject({ containerPort: 8080, protocol: 'tcp' });
      expect(await task.fetch(`http://127.0.0.1:${binding?.hostPort}/`)).toBe('hello');
    },
  },
  {
    name: 'web-on-a-port-of-the-host',
    input: {
      networkMode: 'bridge',
      requiresCompatibilities: ['EC2'],
      containerDefinitions: [web({ portMappings: [{ containerPort: 8080, hostPort: 18_080, protocol: 'tcp' }] })],
    },
    does: async (task) => {
      await task.running();
      expect(await task.fetch('http://127.0.0.1:18080/')).toBe('hello');
    },
  },
  {
    name: 'web-with-named-ports',
    input: {
      containerDefinitions: [
        web({
          portMappings: [
            { name: 'web-8080-tcp', containerPort: 8080, hostPort: 0, protocol: 'tcp', appProtocol: 'http' },
          ],
        }),
      ],
    },
    does: async (task) => {
      const { containers } = await task.running();
      expect(await task.fetch(`http://127.0.0.1:${containers?.[0]?.networkBindings?.[0]?.hostPort}/`)).toBe('hello');
    },
  },
  {
    name: 'blog-with-its-database-linked',
    sample: true,
    input: {
      containerDefinitions: [
        web({
          name: 'blog',
          links: ['mysql:db'],
          essential: true,
          memory: undefined,
          memoryReservation: 64,
          portMappings: [{ containerPort: 8080, hostPort: 0 }],
          environment: [{ name: 'WORDPRESS_DB_HOST', value: 'db:8080' }],
        }),
        web({ name: 'mysql', essential: true, environment: [{ name: 'MYSQL_ROOT_PASSWORD', value: 'password' }] }),
      ],
    },
    reads: { containers: { blog: { memory: undefined, portMappings: published } } },
    does: async (task) => {
      await task.running();
      // The busybox of the image has no resolver of its own: it reads the name where Docker has written it.
      const linked = "$(busybox awk '/[ \t]db( |$)/ { print $1; exit }' /etc/hosts)";
      await task.until('blog', page(`http://${linked}:8080/`), /^hello$/);
    },
  },
  {
    name: 'web-behind-a-health-check',
    sample: true,
    input: {
      containerDefinitions: [
        web({
          cpu: 64,
          portMappings: [{ containerPort: 8080 }],
          healthCheck: {
            command: ['CMD-SHELL', `${page('http://127.0.0.1:8080/')} || exit 1`],
            interval: 5,
            startPeriod: 10,
          },
        }),
      ],
    },
    reads: {
      containers: {
        web: {
          portMappings: published,
          healthCheck: {
            command: ['CMD-SHELL', `${page('http://127.0.0.1:8080/')} || exit 1`],
            interval: 5,
            timeout: 5,
            retries: 3,
            startPeriod: 10,
          },
        },
      },
    },
    does: async (task) => {
      await task.running();
      await expect.poll(async () => (await task.running()).healthStatus, { timeout: 180_000 }).toBe('HEALTHY');
    },
  },
  {
    name: 'health-check-in-exec-form',
    input: {
      containerDefinitions: [
        web({
          healthCheck: {
            command: ['CMD', 'wget', '-q', '-O', '/dev/null', 'http://127.0.0.1:8080/'],
            interval: 5,
            timeout: 2,
            retries: 10,
          },
        }),
      ],
    },
    does: async (task) => {
      await expect.poll(async () => (await task.running()).healthStatus, { timeout: 180_000 }).toBe('HEALTHY');
    },
  },
  {
    name: 'logs-for-cloudwatch',
    sample: true,
    input: {
      executionRoleArn: 'ecsTaskExecutionRole',
      containerDefinitions: [
        shell('app', `echo started; ${waiting}`, {
          logConfiguration: {
            logDriver: 'awslogs',
            options: {
              'awslogs-group': '/ecs/app',
              'awslogs-region': 'us-east-1',
              'awslogs-stream-prefix': 'ecs',
              'awslogs-create-group': 'true',
              mode: 'non-blocking',
              'max-buffer-size': '25m',
            },
            secretOptions: [],
          },
        }),
      ],
    },
    reads: { task: { executionRoleArn: 'arn:aws:iam::000000000000:role/ecsTaskExecutionRole' } },
    does: async (task) => {
      await task.running();
      await expect.poll(() => task.logs('app'), { timeout: 180_000 }).toContain('started');
    },
  },
  {
    name: 'logs-in-files-that-rotate',
    input: {
      containerDefinitions: [
        shell('app', `echo started; ${waiting}`, {
          logConfiguration: { logDriver: 'json-file', options: { 'max-size': '10m', 'max-file': '3' } },
        }),
      ],
    },
    does: async (task) => {
      await task.running();
      await expect.poll(() => task.logs('app'), { timeout: 180_000 }).toContain('started');
    },
  },
  {
    name: 'labels-for-a-proxy',
    input: {
      containerDefinitions: [
        web({
          dockerLabels: {
            'traefik.enable': 'true',
            'traefik.http.routers.web.rule': 'Host(`a.example.com`)',
            empty: '',
          },
        }),
      ],
    },
    does: async (task) => {
      await task.running();
    },
  },
  {
    name: 'environment-with-everything',
    input: {
      containerDefinitions: [
        web({
          environment: [
            { name: 'JSON', value: '{"a":"b c","d":[1]}' },
            { name: 'EMPTY', value: '' },
            { name: 'lower.and-dashes', value: 'x=y=z' },
            { name: 'LINES', value: 'one\ntwo' },
            { name: 'UNICODE', value: 'żółć' },
          ],
        }),
      ],
    },
    does: async (task) => {
      await task.running();
      const all = await task.inside('web', 'busybox env');
      for (const line of [
        'JSON={"a":"b c","d":[1]}',
        'EMPTY=',
        'lower.and-dashes=x=y=z',
        'LINES=one\ntwo',
        'UNICODE=żółć',
      ])
        expect(all).toContain(line);
    },
  },
  {
    name: 'what-the-console-exports',
    sample: true,
    input: {
      networkMode: 'bridge',
      placementConstraints: [],
      volumes: [],
      tags: [],
      runtimePlatform: { cpuArchitecture: 'X86_64', operatingSystemFamily: 'LINUX' },
      requiresCompatibilities: ['EC2'],
      cpu: '128',
      memory: '128',
      enableFaultInjection: false,
      containerDefinitions: [
        {
          name: 'web',
          image: appImage,
          cpu: 0,
          portMappings: [
            { name: 'web-8080-tcp', containerPort: 8080, hostPort: 0, protocol: 'tcp', appProtocol: 'http' },
          ],
          essential: true,
          environment: [],
          environmentFiles: [],
          mountPoints: [],
          volumesFrom: [],
          ulimits: [],
          secrets: [],
          dnsServers: [],
          dnsSearchDomains: [],
          extraHosts: [],
          dockerSecurityOptions: [],
          links: [],
          command: [],
          entryPoint: [],
          dependsOn: [],
          dockerLabels: {},
          resourceRequirements: [],
          credentialSpecs: [],
          systemControls: [],
        },
      ],
    },
    does: async (task) => {
      const { containers, cpu, memory } = await task.running();
      expect([cpu, memory]).toEqual(['128', '128']);
      expect(await task.fetch(`http://127.0.0.1:${containers?.[0]?.networkBindings?.[0]?.hostPort}/`)).toBe('hello');
    },
  },
  {
    name: 'empty-texts-of-a-deploy-script',
    input: {
      taskRoleArn: '',
      executionRoleArn: '',
      pidMode: '' as 'host',
      ipcMode: '' as 'host',
      containerDefinitions: [web({ hostname: '', user: '', workingDirectory: '' })],
      volumes: [{ name: 'data', host: { sourcePath: '' } }],
    },
    reads: {
      task: {
        taskRoleArn: undefined,
        executionRoleArn: undefined,
        pidMode: undefined,
        ipcMode: undefined,
        volumes: [{ name: 'data', host: {} }],
      },
      containers: { web: { hostname: undefined, user: undefined, workingDirectory: undefined } },
    },
    does: async (task) => {
      await task.running();
      expect(await task.inside('web', 'busybox id -u')).toBe('0');
    },
  },
  {
    name: 'labelled-and-tagged',
    input: {
      tags: [
        { key: 'team', value: 'shop' },
        { key: 'cost center', value: '' },
      ],
      placementConstraints: [{ type: 'memberOf', expression: 'attribute:ecs.os-type == linux' }],
      containerDefinitions: [web({ versionConsistency: 'disabled' })],
    },
    does: async (task) => {
      await task.running();
    },
  },
];
