import { type Balancer, balancers, cloudwatch, type Listener, type TargetGroup, type TargetHealth } from './aws.ts';
import type { Point } from './chart.tsx';
import { usageStep } from './service-data.ts';

export interface Group extends TargetGroup {
  readonly targets: readonly TargetHealth[];
}

export interface BalancerData {
  readonly balancer: Balancer;
  readonly listeners: readonly Listener[];
  readonly groups: readonly Group[];
}

/** Load balancers that are shown with all they have. */
export const mostBalancers = 50;

/** Every load balancer with its listeners and targets. @throws AwsError */
export async function readBalancers(signal: AbortSignal): Promise<readonly BalancerData[]> {
  const { LoadBalancers = [] } = await balancers('DescribeLoadBalancers', {}, { signal });
  return Promise.all(
    LoadBalancers.slice(0, mostBalancers).map(async (balancer): Promise<BalancerData> => {
      const of = { LoadBalancerArn: balancer.LoadBalancerArn ?? '' };
      const [{ Listeners: listeners = [] }, { TargetGroups = [] }] = await Promise.all([
        balancers('DescribeListeners', of, { signal }),
        balancers('DescribeTargetGroups', of, { signal }),
      ]);
      const groups = await Promise.all(
        TargetGroups.map(async (group): Promise<Group> => {
          const input = { TargetGroupArn: group.TargetGroupArn ?? '' };
          const { TargetHealthDescriptions: targets = [] } = await balancers('DescribeTargetHealth', input, { signal });
          return { ...group, targets };
        }),
      );
      return { balancer, listeners, groups };
    }),
  );
}

export interface Traffic {
  readonly from: number;
  readonly to: number;
  /** Requests a minute. */
  readonly requests: readonly Point[];
  /** Milliseconds. */
  readonly latency: readonly Point[];
}

/** `app/web/50dc6c495c0c9188` of a load balancer's ARN, `targetgroup/web/…` of a target group's: their names to CloudWatch. */
export const metricName = (arn: string): string =>
  arn
    .split(':')
    .at(-1)
    ?.replace(/^loadbalancer\//, '') ?? '';

/** Requests and latencies of the last hour. @param dimensions of one load balancer, or of a target group behind one */
export async function readTraffic(
  dimensions: readonly { readonly Name: string; readonly Value: string }[],
  signal: AbortSignal,
): Promise<Traffic> {
  const to = Math.floor(Date.now() / 60_000) * 60;
  const from = to - 3600;
  const query = (Id: string, MetricName: string, Stat: string) => ({
    Id,
    MetricStat: {
      Metric: { Namespace: 'AWS/ApplicationELB', MetricName, Dimensions: [...dimensions] },
      Period: usageStep,
      Stat,
    },
  });
  const { MetricDataResults = [] } = await cloudwatch(
    'GetMetricData',
    {
      StartTime: from,
      EndTime: to,
      ScanBy: 'TimestampAscending',
      MetricDataQueries: [query('requests', 'RequestCount', 'Sum'), query('latency', 'TargetResponseTime', 'Average')],
    },
    { signal },
  );
  const points = (id: string, factor: number): readonly Point[] => {
    const { Timestamps = [], Values = [] } = MetricDataResults.find(({ Id }) => Id === id) ?? {};
    return Timestamps.map((time, i): Point => [time, (Values[i] ?? 0) * factor]);
  };
  return { from, to, requests: points('requests', 1), latency: points('latency', 1000) };
}
