const label = /^(app\/[A-Za-z0-9-]{1,32}\/[0-9a-f]{16})\/(targetgroup\/[A-Za-z0-9-]{1,32}\/[0-9a-f]{16})$/;

/** What a ResourceLabel of ALBRequestCountPerTarget names: the ends of the ARNs of a load balancer and of a target group. */
export function requestLabel(given = ''): { readonly balancer: string; readonly group: string } | undefined {
  const [, balancer, group] = label.exec(given) ?? [];
  return balancer === undefined || group === undefined ? undefined : { balancer, group };
}

/** Why a ResourceLabel of ALBRequestCountPerTarget is none. */
export const noRequestLabel =
  'ALBRequestCountPerTarget needs a ResourceLabel: app/<load balancer name>/<id>/targetgroup/<target group name>/<id>, the ends of the two ARNs.';

/** The metric of ALBRequestCountPerTarget. @returns undefined for what is no label */
export function requestMetric(given: string | undefined) {
  const named = requestLabel(given);
  return named === undefined
    ? undefined
    : {
        namespace: 'AWS/ApplicationELB',
        metric: 'RequestCountPerTarget',
        dimensions: [
          { name: 'LoadBalancer', value: named.balancer },
          { name: 'TargetGroup', value: named.group },
        ],
        statistic: 'Sum',
      };
}
