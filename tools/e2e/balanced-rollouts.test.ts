import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { underLoad } from '../testbed/balanced-service.ts';
import { until } from '../testbed/command.ts';
import { describeReport } from '../testbed/load/index.ts';
import { address, missingForStage, Stage, unacknowledged } from '../testbed/balanced-stage.ts';

/**
 * No request is lost: load that never sends anything again, on a load balancer whose service is rolled, scaled, follows its load and loses tasks by
 * hand meanwhile. On a Docker engine, with each traffic engine.
 */
const missing = await missingForStage();
if (missing !== undefined && process.env['CI']) throw new Error(`${missing} on this machine`);

/** How often the service is rolled out under load, on each engine. */
const rollouts = { nightly: 30, release: 1_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 2;
const hours = { nightly: 1, release: 12 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 0.2;

describe.skipIf(missing !== undefined)(
  `a service behind a load balancer${missing === undefined ? '' : ` (${missing})`}`,
  { timeout: hours * 3_600_000 },
  () => {
    let stage: Stage;
    beforeAll(async () => {
      stage = await Stage.open();
    }, 600_000);
    afterAll(async () => {
      await stage?.[Symbol.asyncDispose]();
    }, 600_000);

    test.each(['haproxy', 'embedded'] as const)('%s: no request fails while it is rolled out', async (engine) => {
      if (engine !== 'haproxy') await stage.restart(engine);
      const report = await underLoad(address, stage.balanced, async () => {
        for (let done = 0; done < rollouts; done++) await stage.update('--force-new-deployment');
        await stage.update('--desired-count', '1');
        await stage.update('--desired-count', '2');
        const [task = ''] = await stage.tasks('RUNNING');
        await stage.aws('ecs', 'stop-task', '--task', task);
        await until('another task', 180_000, async () => !(await stage.tasks('RUNNING')).includes(task));
        await stage.steady();
      });
      expect(report.failures, `${describeReport(report)}\n${stage.log.slice(-4_000)}`).toEqual([]);
      const events = ((await stage.service()).events ?? []).map(({ message = '' }) => message);
      for (const what of ['registered', 'deregistered'])
        expect(events.some((text) => new RegExp(`^\\(service web\\) ${what} \\d targets in `).test(text))).toBe(true);
    });

    test('two tasks become eight as their requests come, and eight become two again, and no request fails', async () => {
      const target = [
        '--service-namespace=ecs',
        '--scalable-dimension=ecs:service:DesiredCount',
        '--resource-id=service/default/web',
      ];
      const scaling = <T>(name: string, ...more: readonly string[]): Promise<T> =>
        stage.aws<T>('application-autoscaling', name, target, more);
      const follow = (TargetValue: number): Promise<object> =>
        scaling(
          'put-scaling-policy',
          '--policy-name=requests',
          '--policy-type=TargetTrackingScaling',
          '--target-tracking-scaling-policy-configuration',
          JSON.stringify({ TargetValue, PredefinedMetricSpecification: requests }),
        );
      const { LoadBalancers } = await stage.aws<{ LoadBalancers: [{ LoadBalancerArn: string }] }>([
        'elbv2',
        'describe-load-balancers',
        '--names',
        'web',
      ]);
      const balancer = LoadBalancers[0].LoadBalancerArn.replace(/^.*:loadbalancer\//, '');
      const group = stage.balanced.group.replace(/^.*:/, '');
      const requests = { PredefinedMetricType: 'ALBRequestCountPerTarget', ResourceLabel: `${balancer}/${group}` };
      const wanted = (count: number, meanwhile: () => Promise<unknown> = () => Promise.resolve()): Promise<true> =>
        until(`${count} tasks to be wanted`, 180_000, async () => {
          await meanwhile();
          return (await stage.service()).desiredCount === count;
        });
      await scaling('register-scalable-target', '--min-capacity', '2', '--max-capacity', '8');
      const report = await underLoad(address, stage.balanced, async () => {
        await follow(20);
        await wanted(8);
        await stage.steady();
        // Eight are too many for what is said now; a quarter of an hour of that is not waited for, but an alarm of ten seconds says so.
        await follow(1_000_000);
        const { PolicyARN } = await scaling<{ PolicyARN: string }>(
          'put-scaling-policy',
          '--policy-name=idle',
          '--policy-type=StepScaling',
          '--step-scaling-policy-configuration',
          JSON.stringify({
            AdjustmentType: 'ChangeInCapacity',
            StepAdjustments: [{ MetricIntervalLowerBound: 0, ScalingAdjustment: -6 }],
          }),
        );
        await stage.print(
          ['cloudwatch', 'put-metric-alarm', '--alarm-name', 'idle', '--namespace', 'Web', '--metric-name', 'Idle'],
          ['--statistic', 'Maximum', '--period', '10', '--evaluation-periods', '1', '--threshold', '1'],
          ['--comparison-operator', 'GreaterThanOrEqualToThreshold', '--alarm-actions', PolicyARN],
        );
        const idle = ['put-metric-data', '--namespace', 'Web', '--metric-data'];
        await wanted(2, () => stage.print('cloudwatch', idle, 'MetricName=Idle,Value=1,StorageResolution=1'));
        await stage.steady();
      });
      expect(report.failures, `${describeReport(report)}\n${stage.log.slice(-4_000)}`).toEqual([]);
      const { ScalingActivities } = await stage.aws<{ ScalingActivities: readonly { Cause: string }[] }>([
        'application-autoscaling',
        'describe-scaling-activities',
        '--service-namespace=ecs',
      ]);
      // Of the tests before there are minutes that say the same, and whichever is looked at first.
      expect(ScalingActivities.at(-1)?.Cause).toMatch(
        /^(?:the last readings of ALBRequestCountPerTarget \([\d.]+, [\d.]+, [\d.]+\) were above the target of 20|monitor alarm TargetTracking-service\/default\/web-AlarmHigh-\S+ in state ALARM) triggered policy requests$/,
      );
      expect(ScalingActivities[0]).toMatchObject({
        Description: 'Setting desired count to 2.',
        Cause: 'monitor alarm idle in state ALARM triggered policy idle',
      });
      await stage.print('application-autoscaling', 'deregister-scalable-target', target);
      await stage.print(['cloudwatch', 'delete-alarms', '--alarm-names', 'idle']);
    });

    test('aws elb: an instance comes into service behind a classic load balancer, and its waiters say so', async () => {
      const [port, hostPort] = [await freePort(), await freePort()];
      const named = ['--load-balancer-name', 'old'];
      const way = `Protocol=HTTP,LoadBalancerPort=${port},InstanceProtocol=HTTP,InstancePort=${hostPort}`;
      const elb = <T>(...args: string[]): Promise<T> => stage.aws<T>('elb', args.slice(0, 1), named, args.slice(1));
      const { DNSName } = await elb<{ DNSName: string }>(
        'create-load-balancer',
        '--listeners',
        way,
        '--subnets',
        stage.balanced.subnet,
      );
      const check = `Target=HTTP:${hostPort}/,Interval=5,Timeout=4,UnhealthyThreshold=2,HealthyThreshold=2`;
      await elb('configure-health-check', '--health-check', check);
      const instance = await stage.runFixed(hostPort);
      await elb('register-instances-with-load-balancer', '--instances', instance);
      // Begun before it is: they wait.
      await Promise.all(
        ['instance-in-service', 'any-instance-in-service'].map((waiter) => stage.aws('elb', 'wait', waiter, named)),
      );
      const { InstanceStates } = await elb<{ InstanceStates: object[] }>('describe-instance-health');
      expect(InstanceStates).toMatchObject([{ InstanceId: instance }]);
      const answers = (status: number): Promise<true> =>
        until(`an answer ${status}`, 180_000, async () => (await stage.ask(port, DNSName)) === status);
      await answers(200);
      await elb('deregister-instances-from-load-balancer', '--instances', instance);
      await stage.aws('elb', 'wait', 'instance-deregistered', named, '--instances', instance);
      await answers(503);
      await elb('delete-load-balancer');
    });

    test.each(['embedded', 'haproxy'] as const)(
      '%s: requests fail when tasks are stopped before the engine has acknowledged',
      async (engine) => {
        await stage.restart(engine, unacknowledged);
        let failed = 0;
        for (let attempt = 0; attempt < 10 && failed === 0; attempt++) {
          const report = await underLoad(address, stage.balanced, () => stage.update('--force-new-deployment'));
          failed = report.failures.length;
        }
        expect(failed).toBeGreaterThan(0);
      },
    );
  },
);
