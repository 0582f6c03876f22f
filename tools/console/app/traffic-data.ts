import { type Balancer, balancers, type Listener, type TargetGroup, type TargetHealth } from './balancers-data.ts';
import { type Dimensions, type Hour, readHour } from './metrics-data.ts';

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

/** Requests a minute, and milliseconds until they are answered. */
export type Traffic = Hour<'requests' | 'latency'>;

/** `app/web/50dc6c495c0c9188` of a load balancer's ARN, `targetgroup/web/…` of a target group's: their names to CloudWatch. */
export const metricName = (arn: string): string =>
  arn
    .split(':')
    .at(-1)
    ?.replace(/^loadbalancer\//, '') ?? '';

/** Requests and latencies of the last hour. @param dimensions of one load balancer, or of a target group behind one @throws AwsError */
export async function readTraffic(dimensions: Dimensions, signal: AbortSignal): Promise<Traffic> {
  const hour = await readHour(
    'AWS/ApplicationELB',
    dimensions,
    { requests: ['RequestCount', 'Sum'], latency: ['TargetResponseTime', 'Average'] },
    signal,
  );
  return { ...hour, latency: hour.latency.map(([time, seconds]) => [time, seconds * 1000] as const) };
}
