import {
  balancerName,
  balancerOf,
  groupFor,
  groupName,
  listener,
  loadBalancer,
  placeOf,
  securityGroup,
  securityGroupOf,
  targetGroupOf,
} from '../expose.ts';
import { ApiError, callQuery, listOf, textOf } from '../query-api.ts';
import type { AppService, Published } from './model.ts';
import type { BalancerNow } from './plan.ts';

/** Target groups by the port of the load balancer that sends requests to them. */
export type Groups = readonly (Published & { readonly targetGroupArn: string })[];

export interface BalancerMade {
  readonly arn: string;
  readonly dnsName: string;
  readonly groups: Groups;
}

/** How the load balancer of a service stands; undefined for none. @throws CliError when one of its name is somebody else's */
export async function balancerNow(cluster: string, service: string): Promise<BalancerNow | undefined> {
  const owner = `${cluster}/${service}`;
  const found = await balancerOf(balancerName(cluster, service), owner);
  if (found === undefined) return undefined;
  const [listeners, groups] = await Promise.all([listenersOf(found.arn), groupsOf(found.arn)]);
  return { ports: listeners.map(({ port }) => port), healthPath: groups[0]?.healthPath ?? '' };
}

/** The load balancer of a service with a listener and a target group for each port; what is not asked for any more stays until {@link prune}. */
export async function makeBalancer(cluster: string, service: AppService, from: string): Promise<BalancerMade> {
  const owner = `${cluster}/${service.name}`;
  const name = balancerName(cluster, service.name);
  const place = await placeOf({}, { networkMode: 'bridge' });
  let security = '';
  for (const { port } of service.publish) security = await securityGroup(name, place.vpc, port, from);
  const { arn, dnsName } = await loadBalancer(name, place.subnets, security, owner);
  const groups: (Published & { targetGroupArn: string })[] = [];
  for (const [i, published] of service.publish.entries()) {
    const group = i === 0 ? name : `${name.slice(0, 26)}-${published.port}`;
    const targetGroupArn = await groupFor(group, place, published.containerPort, service.healthPath, owner);
    await callQuery('elb', 'ModifyTargetGroup', {
      TargetGroupArn: targetGroupArn,
      HealthCheckPath: service.healthPath,
      // Ten seconds until a new task gets requests; with ELB's defaults it is more than two minutes.
      HealthCheckIntervalSeconds: '5',
      HealthyThresholdCount: '2',
      HealthCheckTimeoutSeconds: '4',
    });
    const known = (await listenersOf(arn)).find(({ port }) => port === published.port);
    if (known !== undefined && known.targetGroupArn !== targetGroupArn)
      await callQuery('elb', 'ModifyListener', {
        ListenerArn: known.arn,
        'DefaultActions.member.1.Type': 'forward',
        'DefaultActions.member.1.TargetGroupArn': targetGroupArn,
      });
    else await listener(arn, published.port, targetGroupArn);
    groups.push({ ...published, targetGroupArn });
  }
  return { arn, dnsName, groups };
}

/** Removes listeners and target groups of a load balancer that are not among these. */
export async function prune({ arn, groups }: BalancerMade): Promise<void> {
  const before = await groupsOf(arn);
  for (const { arn: listenerArn, port } of await listenersOf(arn))
    if (!groups.some((one) => one.port === port))
      await callQuery('elb', 'DeleteListener', { ListenerArn: listenerArn });
  for (const { arn: targetGroupArn } of before)
    if (!groups.some((one) => one.targetGroupArn === targetGroupArn)) await removeGroup(targetGroupArn);
}

/** Takes the load balancer of a service away, with all that was made for it. @returns whether there was one */
export async function removeBalancer(cluster: string, service: string): Promise<boolean> {
  const owner = `${cluster}/${service}`;
  const name = balancerName(cluster, service);
  const found = await balancerOf(name, owner);
  const named = await targetGroupOf(name, owner);
  const groups = new Set(named === undefined ? [] : [named]);
  if (found !== undefined) {
    for (const { arn } of await groupsOf(found.arn)) groups.add(arn);
    await callQuery('elb', 'DeleteLoadBalancer', { LoadBalancerArn: found.arn });
  }
  for (const arn of groups) await removeGroup(arn);
  const security = await securityGroupOf(groupName(name));
  if (security !== undefined) await callQuery('ec2', 'DeleteSecurityGroup', { GroupId: security });
  return found !== undefined;
}

/** A group that a service still uses stays: it goes with the next run, or with that service. */
async function removeGroup(arn: string): Promise<void> {
  await callQuery('elb', 'DeleteTargetGroup', { TargetGroupArn: arn }).catch((error: unknown) => {
    if (!(error instanceof ApiError) || error.code !== 'ResourceInUse') throw error;
  });
}

async function listenersOf(
  balancer: string,
): Promise<readonly { readonly arn: string; readonly port: number; readonly targetGroupArn?: string }[]> {
  const answer = await callQuery('elb', 'DescribeListeners', { LoadBalancerArn: balancer });
  return listOf(answer, 'Listeners').map((one) => {
    const targetGroupArn = textOf(one, 'TargetGroupArn');
    return {
      arn: textOf(one, 'ListenerArn') ?? '',
      port: Number(textOf(one, 'Port')),
      ...(targetGroupArn === undefined ? {} : { targetGroupArn }),
    };
  });
}

async function groupsOf(balancer: string): Promise<readonly { readonly arn: string; readonly healthPath: string }[]> {
  const answer = await callQuery('elb', 'DescribeTargetGroups', { LoadBalancerArn: balancer });
  return listOf(answer, 'TargetGroups').map((one) => ({
    arn: textOf(one, 'TargetGroupArn') ?? '',
    healthPath: textOf(one, 'HealthCheckPath') ?? '',
  }));
}
