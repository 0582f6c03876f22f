import type { JSX } from 'preact';
import { balancers } from './balancers-data.ts';
import { Chart } from './chart.tsx';
import { useLive } from './live.ts';
import { hourStep } from './metrics-data.ts';
import { Answered, Empty, Panel } from './parts.tsx';
import { metricName, readTraffic, type Traffic } from './traffic-data.ts';

type Marks = readonly { readonly at: number; readonly text: string }[];

/** Requests and latencies as curves. */
export function TrafficCharts({
  traffic,
  marks = [],
}: {
  readonly traffic: Traffic;
  readonly marks?: Marks;
}): JSX.Element {
  const shared = { from: traffic.from, to: traffic.to, marks, step: hourStep };
  return (
    <div class="charts">
      <Chart
        title="Requests"
        unit="a minute"
        points={traffic.requests}
        {...shared}
        nothing="Nothing was asked in this hour."
      />
      <Chart
        title="Latency"
        unit="ms"
        points={traffic.latency}
        {...shared}
        nothing="Nothing was answered in this hour."
      />
    </div>
  );
}

/** What a service's load balancer sends it. @param groupArn its target group */
export function ServiceTraffic({ groupArn, marks }: { readonly groupArn: string; readonly marks: Marks }): JSX.Element {
  const live = useLive(
    `traffic ${groupArn}`,
    async (signal) => {
      const { TargetGroups = [] } = await balancers(
        'DescribeTargetGroups',
        { TargetGroupArns: [groupArn] },
        { signal },
      );
      const balancer = TargetGroups[0]?.LoadBalancerArns?.[0];
      return balancer === undefined
        ? null
        : readTraffic(
            [
              { Name: 'TargetGroup', Value: metricName(groupArn) },
              { Name: 'LoadBalancer', Value: metricName(balancer) },
            ],
            signal,
          );
    },
    20_000,
  );
  return (
    <Panel
      title="Requests and latency"
      aside={<span class="faint">as its load balancer counts them, the last hour</span>}
    >
      <Answered live={live} what="measurements">
        {(traffic) =>
          traffic === null ? (
            <Empty title="No load balancer sends it anything" />
          ) : (
            <TrafficCharts traffic={traffic} marks={marks} />
          )
        }
      </Answered>
    </Panel>
  );
}
