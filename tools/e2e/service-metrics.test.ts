import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ECSClient } from '@aws-sdk/client-ecs';
import { DescribeTasksCommand, ListTasksCommand } from '@aws-sdk/client-ecs';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { trafficEngines } from '../server/traffic-engines.ts';
import { AwsCli, missingAwsCli } from '../testbed/aws-cli.ts';
import { ecsClient } from '../testbed/aws-clients.ts';
import { check, run, until } from '../testbed/command.ts';
import { DockerCli, makeImage, missingDocker } from '../testbed/docker.ts';
import { ownAddresses, ServerProcess } from '../testbed/server-process.ts';

/** Where users find what a service uses: CloudWatch by the AWS command line, and a real Prometheus. */
const prometheus = await run('prometheus', ['--version']).catch(() => undefined);
const missing =
  (await missingDocker()) ??
  (await missingAwsCli()) ??
  (prometheus?.code === 0 ? undefined : 'no prometheus (package prometheus)');
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);
const note = missing === undefined ? '' : ` (${missing})`;

describe.skipIf(missing !== undefined)(`what a service uses${note}`, { timeout: 600_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-service-metrics-'));
  const docker = new DockerCli();
  let server: ServerProcess;
  let aws: AwsCli;
  let ecs: ECSClient;
  let scraper: ChildProcess;
  let asked: string;
  const slipway = join(import.meta.dirname, '..', 'bin', 'slipway');
  const image = `slipway-burn-${process.pid}:test`;

  beforeAll(async () => {
    server = new ServerProcess(await freePort(), join(folder, 'data'), {
      SLIPWAY_HEALTHY_AFTER_SECONDS: '2',
      SLIPWAY_LB_ADDRESSES: ownAddresses(),
    });
    await server.start();
    aws = new AwsCli(server.aws());
    ecs = ecsClient(server);
    await makeImage(docker, {
      reference: image,
      command: [
        '/bin/sh',
        '-c',
        'httpd -p 8080 -h /www; while :; do i=0; while [ $i -lt 500 ]; do i=$((i+1)); done; sleep 0.1; done',
      ],
      files: { '/www/index.html': 'burns' },
    });
    const settings = 'name=containerInsights,value=enabled';
    await aws.json(['ecs', 'update-cluster-settings', '--cluster', 'default', '--settings', settings]);
    const definition = 'ecs register-task-definition --family burn --cpu 128 --memory 64 --container-definitions';
    await aws.json([
      ...definition.split(' '),
      JSON.stringify([
        {
          name: 'main',
          image,
          linuxParameters: { initProcessEnabled: true },
          portMappings: [{ containerPort: 8080 }],
        },
      ]),
    ]);
    const service = ['--service-name', 'burn', '--task-definition', 'burn', '--desired-count', '2'];
    await aws.json(['ecs', 'create-service', ...service]);
    const port = await freePort();
    asked = `http://127.0.0.1:${port}`;
    const configuration = join(folder, 'prometheus.yml');
    writeFileSync(
      configuration,
      JSON.stringify({
        global: { scrape_interval: '1s' },
        scrape_configs: [{ job_name: 'slipway', static_configs: [{ targets: [`127.0.0.1:${server.port}`] }] }],
      }),
    );
    scraper = spawn('prometheus', [
      `--config.file=${configuration}`,
      `--storage.tsdb.path=${join(folder, 'prometheus')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    await until('two tasks to run', 180_000, async () => (await running()) === 2);
  }, 600_000);

  afterAll(async () => {
    if (scraper !== undefined && scraper.exitCode === null) {
      scraper.kill();
      await once(scraper, 'exit');
    }
    await run(slipway, ['expose', 'default/burn', '--remove'], { env: server.aws() });
    await aws.json(['ecs', 'delete-service', '--service', 'burn', '--force']).catch(() => undefined);
    await until('the tasks to end', 180_000, async () => (await running()) === 0).catch(() => undefined);
    ecs.destroy();
    await server.stop();
    // After a test that failed it would stay.
    for (const { open } of trafficEngines({ data: server.data, loadBalancing: { engine: 'auto' } }))
      await (await open()).stop();
    await docker.run(['rmi', '-f', image]);
    docker.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  const running = async (): Promise<number> => {
    const { taskArns = [] } = await ecs.send(new ListTasksCommand({}));
    if (taskArns.length === 0) return 0;
    const { tasks = [] } = await ecs.send(new DescribeTasksCommand({ tasks: taskArns }));
    return tasks.filter(({ lastStatus }) => lastStatus === 'RUNNING').length;
  };

  /** The one value that a query of Prometheus has. */
  const query = async (text: string): Promise<number | undefined> => {
    const response = await fetch(`${asked}/api/v1/query?query=${encodeURIComponent(text)}`).catch(() => undefined);
    if (response?.ok !== true) return undefined;
    const { data } = (await response.json()) as { data: { result: readonly { value: readonly [number, string] }[] } };
    return data.result[0] === undefined ? undefined : Number(data.result[0].value[1]);
  };

  interface Point {
    readonly SampleCount: number;
    readonly Average: number;
    readonly Minimum: number;
    readonly Maximum: number;
    readonly Unit: string;
  }

  /** The first point of a metric that knows of both tasks. */
  const point = (namespace: string, metric: string, dimensions: readonly string[]): Promise<Point> =>
    until(`${metric} of both tasks`, 180_000, async () => {
      const now = Date.now();
      const time = (at: number): string => new Date(at).toISOString();
      const { Datapoints } = await aws.json<{ Datapoints: readonly Point[] }>([
        ...`cloudwatch get-metric-statistics --namespace ${namespace} --metric-name ${metric}`.split(' '),
        ...`--period 60 --start-time ${time(now - 600_000)} --end-time ${time(now + 60_000)}`.split(' '),
        ...'--statistics Average Minimum Maximum SampleCount --dimensions'.split(' '),
        ...dimensions,
      ]);
      return Datapoints.find(({ SampleCount }) => SampleCount === 2);
    });

  test('a real Prometheus is asked for the CPU of a service in percent of what it reserves', async () => {
    const of = (name: string): string => `sum(slipway_task_${name}{cluster="default",service="burn"})`;
    const cpu = await until('the CPU of both tasks', 180_000, async () => {
      const tasks = await query('count(slipway_task_cpu_units{service="burn"})');
      return tasks === 2 ? await query(`100 * ${of('cpu_units')} / ${of('cpu_reserved_units')}`) : undefined;
    });
    expect(cpu).toBeGreaterThan(0);
    expect(await query(of('cpu_reserved_units'))).toBe(256);
    expect(await query(of('memory_reserved_bytes'))).toBe(128 * 1024 * 1024);
    expect(await query(of('memory_bytes'))).toBeGreaterThan(0);
  });

  test('CloudWatch has a point a minute, in which each task is a sample; and Container Insights where they are on', async () => {
    const service = ['Name=ClusterName,Value=default', 'Name=ServiceName,Value=burn'];
    const cpu = await point('AWS/ECS', 'CPUUtilization', service);
    expect(cpu.Unit).toBe('Percent');
    expect(cpu.Minimum).toBeGreaterThan(0);
    expect(cpu.Average).toBeGreaterThanOrEqual(cpu.Minimum);
    expect(cpu.Maximum).toBeGreaterThanOrEqual(cpu.Average);
    const memory = await point('AWS/ECS', 'MemoryUtilization', service);
    expect(memory.Minimum).toBeGreaterThan(0);
    expect(memory.Maximum).toBeLessThanOrEqual(100);
    expect(await point('ECS/ContainerInsights', 'CpuReserved', service)).toMatchObject({ Average: 128, Unit: 'None' });

    const top = async (...args: readonly string[]) =>
      JSON.parse(await check(slipway, ['top', ...args, '--output', 'json'], { env: server.aws() })) as {
        readonly minutes?: readonly { readonly tasks: number; readonly cpu?: { readonly average: number } }[];
        readonly services?: readonly { readonly service: string; readonly running: number }[];
      };
    const { minutes = [] } = await top('default/burn');
    expect(minutes.some(({ tasks, cpu }) => tasks === 2 && (cpu?.average ?? 0) > 0)).toBe(true);
    expect((await top()).services).toMatchObject([{ service: 'burn', running: 2 }]);
  });

  test('CloudWatch has every request that a load balancer sent to the tasks, each once', async () => {
    const port = await freePort();
    const told = await check(slipway, ['expose', 'default/burn', '--port', String(port), '--output', 'json'], {
      env: server.aws(),
    });
    const { host } = new URL((JSON.parse(told) as { url: string }).url);
    const ask = (): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        get({ host: '127.0.0.1', port, headers: { host }, agent: false }, (answer) => {
          answer.resume().once('end', () => resolve(answer.statusCode));
        }).once('error', reject);
      });
    for (let count = 0; count < 20; count++) await until('an answer', 180_000, async () => (await ask()) === 200);
    const { LoadBalancers } = await aws.json<{ LoadBalancers: readonly { LoadBalancerArn: string }[] }>([
      'elbv2',
      'describe-load-balancers',
    ]);
    const of = LoadBalancers[0]?.LoadBalancerArn.split(':loadbalancer/')[1] ?? '';
    const sent = async (): Promise<number> => {
      const shown = await check(slipway, ['lb', 'show', 'burn', '--output', 'json'], { env: server.aws() });
      const { targetGroups } = JSON.parse(shown) as { targetGroups: readonly { requests: number }[] };
      return targetGroups.reduce((sum, { requests }) => sum + requests, 0);
    };
    // With those of whoever waited until a task answers.
    const all = await until('a sum of all requests', 180_000, async () => {
      const now = Date.now();
      const time = (at: number): string => new Date(at).toISOString();
      const { Datapoints } = await aws.json<{ Datapoints: readonly { Sum: number }[] }>([
        ...'cloudwatch get-metric-statistics --namespace AWS/ApplicationELB --metric-name RequestCount'.split(' '),
        ...`--period 60 --start-time ${time(now - 600_000)} --end-time ${time(now + 60_000)}`.split(' '),
        ...`--statistics Sum --dimensions Name=LoadBalancer,Value=${of}`.split(' '),
      ]);
      const sum = Datapoints.reduce((total, { Sum }) => total + Sum, 0);
      return sum >= 20 && sum === (await sent()) && sum;
    });
    expect(all).toBeLessThan(60);
  });
});
