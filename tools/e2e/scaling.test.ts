import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { AwsCli, missingAwsCli } from '../testbed/aws-cli.ts';
import { check, run, until } from '../testbed/command.ts';
import { ServerProcess } from '../testbed/server-process.ts';

/** Services that follow metrics and schedules, by the AWS CLI and by `slipway scale`. No task runs: a count is a count. */
const missing = await missingAwsCli();
if (missing !== undefined && process.env['CI']) throw new Error(`${missing} on this machine`);

vi.setConfig({ testTimeout: 600_000 });

const slipway = join(import.meta.dirname, '..', 'bin', 'slipway');
const folder = mkdtempSync(join(tmpdir(), 'slipway-scaling-'));
let server: ServerProcess;
let aws: AwsCli;

beforeAll(async () => {
  server = new ServerProcess(await freePort(), join(folder, 'data'), { SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '1' });
  await server.start();
  aws = new AwsCli(server.aws());
  await aws.json([
    'ecs',
    'register-task-definition',
    '--family',
    'web',
    '--container-definitions',
    JSON.stringify([{ name: 'web', image: 'busybox', memory: 32 }]),
  ]);
  for (const name of ['web', 'jobs'])
    await aws.json([
      'ecs',
      'create-service',
      '--service-name',
      name,
      '--task-definition',
      'web',
      '--desired-count',
      '1',
    ]);
});

afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const env = (): NodeJS.ProcessEnv => ({ ...process.env, ...server.aws() });
const desired = async (service: string): Promise<number | undefined> => {
  const { services } = await aws.json<{ services: readonly { desiredCount: number }[] }>([
    'ecs',
    'describe-services',
    '--services',
    service,
  ]);
  return services[0]?.desiredCount;
};

test.skipIf(missing !== undefined)(
  `a service follows a metric while its alarm says so, and a schedule${missing === undefined ? '' : ` (${missing})`}`,
  async () => {
    const scaling = <T>(...args: string[]): Promise<T> => aws.json<T>(['application-autoscaling', ...args]);
    const target = [
      '--service-namespace',
      'ecs',
      '--resource-id',
      'service/default/jobs',
      '--scalable-dimension',
      'ecs:service:DesiredCount',
    ];
    await scaling('register-scalable-target', ...target, '--min-capacity', '1', '--max-capacity', '4');
    const { Alarms } = await scaling<{ Alarms: readonly { AlarmName: string }[] }>(
      'put-scaling-policy',
      ...target,
      '--policy-name',
      'depth',
      '--policy-type',
      'TargetTrackingScaling',
      '--target-tracking-scaling-policy-configuration',
      JSON.stringify({
        TargetValue: 10,
        CustomizedMetricSpecification: { MetricName: 'Depth', Namespace: 'Jobs', Statistic: 'Average' },
      }),
    );
    const alarm = Alarms.find(({ AlarmName }) => AlarmName.includes('-AlarmHigh-'))?.AlarmName ?? '';
    const at = new Date(Date.now() - 60_000).toISOString();
    await aws.json([
      'cloudwatch',
      'put-metric-data',
      '--namespace',
      'Jobs',
      '--metric-data',
      `MetricName=Depth,Value=95,Timestamp=${at}`,
    ]);
    expect(await desired('jobs')).toBe(1);
    await until('the service to be scaled out', 180_000, async () => {
      // The alarm's own evaluation, three minutes of points, takes the state back that is set here.
      await aws.json([
        'cloudwatch',
        'set-alarm-state',
        '--alarm-name',
        alarm,
        '--state-value',
        'ALARM',
        '--state-reason',
        'a test',
      ]);
      return (await desired('jobs')) === 2;
    });
    const { ScalingActivities } = await scaling<{ ScalingActivities: readonly object[] }>(
      'describe-scaling-activities',
      '--service-namespace',
      'ecs',
      '--resource-id',
      'service/default/jobs',
    );
    expect(ScalingActivities.at(-1)).toMatchObject({
      StatusCode: 'Successful',
      Description: 'Setting desired count to 2.',
      Cause: `monitor alarm ${alarm} in state ALARM triggered policy depth`,
    });
    await scaling('delete-scaling-policy', ...target, '--policy-name', 'depth');
    await scaling(
      'put-scheduled-action',
      ...target,
      '--scheduled-action-name',
      'soon',
      // Each minute: however long the command takes, a run follows it.
      '--schedule',
      'cron(* * * * ? *)',
      '--scalable-target-action',
      'MinCapacity=3,MaxCapacity=4',
    );
    await until('the schedule to scale the service', 180_000, async () => ((await desired('jobs')) ?? 0) >= 3);
    const { MetricAlarms } = await aws.json<{ MetricAlarms: readonly object[] }>(['cloudwatch', 'describe-alarms']);
    expect(MetricAlarms).toEqual([]);
  },
);

test.skipIf(missing !== undefined)('slipway scale says how a service is scaled, and changes it', async () => {
  expect(await check(slipway, ['scale', 'web'], { env: env() })).toContain('Nothing scales it');
  const before = await run(slipway, ['scale', 'web', '--cpu', '60'], { env: env() });
  expect([before.code, before.stderr]).toEqual([2, 'slipway: default/web has no bounds yet: give --min and --max\n']);
  const shown = await check(slipway, ['scale', 'web', '--min', '2', '--max', '10', '--cpu', '60'], { env: env() });
  expect(shown).toContain('default/web: 1 wanted, 0 running, 2 to 10 allowed');
  expect(shown).toContain('slipway-cpu: ECSServiceAverageCPUUtilization at 60');
  expect(await check(slipway, ['explain', 'web'], { env: env() })).toMatch(
    /^Count\n {2}default\/web: .*, 2 to 10 allowed\n {4}slipway-cpu: ECSServiceAverageCPUUtilization at 60$/m,
  );
  const counted = await check(slipway, ['scale', 'web', '3', '--output', 'json'], { env: env() });
  expect(JSON.parse(counted)).toMatchObject({ desiredCount: 3, bounds: { MinCapacity: 2, MaxCapacity: 10 } });
  expect(await check(slipway, ['scale', 'web', '--off'], { env: env() })).toContain('Nothing scales it');
});
