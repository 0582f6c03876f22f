import { describe, expect, test } from 'vitest';

import { type AgentTask, taskSchema } from '../../wire/index.ts';
import { withPause } from '../pause.ts';
import { configurationPath, routerConfiguration } from './configuration.ts';
import { routerOf } from './task.ts';

const arn = 'arn:aws:ecs:us-east-1:000000000000:task/shop/0123456789abcdef0123456789abcdef';

function task(of: {
  readonly type?: string;
  readonly options?: Record<string, string>;
  readonly networkMode?: string;
  readonly memory?: number;
  readonly instance?: string;
  readonly outputs: Record<string, { options: Record<string, string>; secrets?: string[] }>;
}): AgentTask {
  const { type = 'fluentbit', options = {}, networkMode = 'bridge', memory = 0, instance } = of;
  const network = {
    ec2Id: 'eni-0a',
    macAddress: '0a:00:00:00:00:01',
    ipv4Addresses: [{ privateAddress: '10.0.0.1' }],
    vpcId: 'vpc-0a',
    securityGroups: [],
    outside: false,
  };
  return withPause(
    taskSchema.parse({
      arn,
      family: 'web',
      version: '7',
      desiredStatus: 'RUNNING',
      networkMode,
      elasticNetworkInterfaces: networkMode === 'awsvpc' ? [network] : [],
      containers: [
        {
          name: 'router',
          image: 'fluent',
          memory,
          firelensConfiguration: { type, options, ...(instance === undefined ? {} : { ec2InstanceId: instance }) },
        },
        { name: 'other', image: 'other', dockerConfig: { hostConfig: '{"LogConfig":{"Type":"json-file"}}' } },
        ...Object.entries(of.outputs).map(([name, { options: Config, secrets = [] }]) => ({
          name,
          image: 'web',
          secrets: secrets.map((secret) => ({ name: secret, valueFrom: 'x', target: 'LOG_DRIVER' })),
          dockerConfig: { hostConfig: JSON.stringify({ LogConfig: { Type: 'awsfirelens', Config } }) },
        })),
      ],
    }),
  );
}

function text(of: AgentTask, cluster = 'arn:aws:ecs:us-east-1:000000000000:cluster/shop'): string {
  const router = routerOf(of);
  if (router === undefined) throw new Error('no router');
  return routerConfiguration(of, router, cluster);
}

const off = { 'enable-ecs-log-metadata': 'false' };

describe('the configuration of Fluent Bit', () => {
  /** What each begins with: for health checks of the router, and its socket. */
  const inputs = (buffer: string): string => `[INPUT]
    Name tcp
    Listen 127.0.0.1
    Port 8877
    Tag firelens-healthcheck

[INPUT]
    Name forward
    Mem_Buf_Limit ${buffer}
    unix_path /var/run/fluent.sock
`;
  const nowhere = `[OUTPUT]
    Name null
    Match firelens-healthcheck
`;

  test('all of it, on the bridge', () => {
    const of = task({
      memory: 101,
      instance: 'i-0123456789abcdef0',
      options: { 'config-file-type': 'file', 'config-file-value': '/extra.conf' },
      outputs: {
        app: {
          options: { region: 'us-east-1', 'include-pattern': 'err', Name: 'firehose', 'exclude-pattern': 'ok' },
          secrets: ['api_key'],
        },
        'side-car': { options: { Name: 'stdout' }, secrets: ['api_key'] },
        quiet: { options: {} },
      },
    });
    expect(text(of)).toBe(`${inputs('50MB')}
[INPUT]
    Name forward
    Listen 0.0.0.0
    Port 24224

[FILTER]
    Name grep
    Match app-firelens*
    Regex log err

[FILTER]
    Name grep
    Match app-firelens*
    Exclude log ok

[FILTER]
    Name record_modifier
    Match *
    Record ec2_instance_id i-0123456789abcdef0
    Record ecs_cluster shop
    Record ecs_task_arn ${arn}
    Record ecs_task_definition web:7

@INCLUDE /extra.conf

${nowhere}
[OUTPUT]
    Name firehose
    Match app-firelens*
    region us-east-1
    api_key \${api_key_2}

[OUTPUT]
    Name stdout
    Match side-car-firelens*
    api_key \${api_key_3}
`);
  });

  test('of a task with an interface of its own the port is open to the task alone', () => {
    expect(text(task({ networkMode: 'awsvpc', options: off, outputs: { app: { options: { Name: 'x' } } } }), 'shop'))
      .toBe(`${inputs('25MB')}
[INPUT]
    Name forward
    Listen 127.0.0.1
    Port 24224

${nowhere}
[OUTPUT]
    Name x
    Match app-firelens*
`);
  });

  test('in the network of the host there is the socket alone; what only a file of the image sends has no output', () => {
    const options = { ...off, 'config-file-type': 'file', 'config-file-value': '/own.conf' };
    expect(text(task({ networkMode: 'host', options, outputs: { app: { options: {} } } }))).toBe(`${inputs('25MB')}
@INCLUDE /own.conf

${nowhere}`);
  });
});

describe('the configuration of Fluentd', () => {
  test('all of it, on the bridge', () => {
    const of = task({
      type: 'fluentd',
      options: { 'config-file-type': 'file', 'config-file-value': '/extra.conf' },
      outputs: {
        app: {
          options: { region: 'us-east-1', 'include-pattern': 'err', '@type': 'kinesis', 'exclude-pattern': 'ok' },
          secrets: ['api_key'],
        },
        quiet: { options: {} },
      },
    });
    expect(text(of)).toBe(`<source>
    @type unix
    path /var/run/fluent.sock
</source>

<source>
    @type forward
    bind 0.0.0.0
    port 24224
</source>

<filter app-firelens**>
    @type grep
    <regexp>
        key log
        pattern err
    </regexp>
</filter>

<filter app-firelens**>
    @type grep
    <exclude>
        key log
        pattern ok
    </exclude>
</filter>

<filter **>
    @type record_transformer
    <record>
        ecs_cluster shop
        ecs_task_arn ${arn}
        ecs_task_definition web:7
    </record>
</filter>

@include /extra.conf

<match app-firelens**>
    @type kinesis
    region us-east-1
    api_key "#{ENV['api_key_2']}"
</match>
`);
  });

  test.each([
    ['awsvpc', '\n<source>\n    @type forward\n    bind 127.0.0.1\n    port 24224\n</source>\n'],
    ['host', ''],
    ['none', ''],
  ])('without metadata, with network mode %s', (networkMode, port) => {
    const outputs = { app: { options: { '@type': 'stdout' } } };
    expect(text(task({ type: 'fluentd', networkMode, options: off, outputs }))).toBe(`<source>
    @type unix
    path /var/run/fluent.sock
</source>
${port}
<match app-firelens**>
    @type stdout
</match>
`);
  });
});

test('each program finds its configuration where its images have it', () => {
  expect([configurationPath('fluentbit'), configurationPath('fluentd')]).toEqual([
    '/fluent-bit/etc/fluent-bit.conf',
    '/fluentd/etc/fluent.conf',
  ]);
});
