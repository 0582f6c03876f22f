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
import { ApiError, callQuery, type Element, listOf, textOf } from '../query-api.ts';
import type { AppService, Published } from './model.ts';
import type { BalancerNow } from './plan.ts';

/** Target groups by the port of the load balancer that sends requests to them. */
export type Groups = readonly (Published & {
  readonly targetGroupArn: string;
  /** Its listener shares requests out among several groups, as deployments set it: the tasks may be in another one. */
  readonly isShared: boolean;
})[];

/** Who may connect to a load balancer that nobody said it of. */
const everybody = '0.0.0.0/0';

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
  const [listeners, groups, allowed] = await Promise.all([
    listenersOf(found.arn),
    groupsOf(found.arn),
    allowedBy(balancerName(cluster, service)),
  ]);
  return {
    ports: listeners.map(({ port }) => port),
    healthPath: groups[0]?.healthPath ?? '',
    from: rangesOf(allowed),
  };
}

/**
 * The load balancer of a service with a listener and a target group for each port; what is not asked for any more stays until {@link prune}.
 * @param from who may connect, and nobody else; undefined leaves it as it is
 * @throws CliError when one of its name is somebody else's, of which nothing is changed then
 */
export async function makeBalancer(
  cluster: string,
  service: AppService,
  from: string | undefined,
): Promise<BalancerMade> {
  const owner = `${cluster}/${service.name}`;
  const name = balancerName(cluster, service.name);
  await balancerOf(name, owner);
  const place = await placeOf({}, { networkMode: 'bridge' });
  const before = rangesOf(await allowedBy(name, place.vpc));
  const ranges = from === undefined ? (before.length === 0 ? [everybody] : before) : [from];
  let security = '';
  for (const { port } of service.publish)
    for (const range of ranges) security = await securityGroup(name, place.vpc, port, range);
  if (from !== undefined) await allowOnly(name, place.vpc, security, from);
  const { arn, dnsName } = await loadBalancer(name, place.subnets, security, owner);
  const listeners = await listenersOf(arn);
  const groups: Groups[number][] = [];
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
    const known = listeners.find(({ port }) => port === published.port);
    if (known === undefined) await listener(arn, published.port, targetGroupArn);
    // Of several groups deployments say how much each gets: nobody else may set that back.
    else if (!known.groups.includes(targetGroupArn))
      await callQuery('elb', 'ModifyListener', {
        ListenerArn: known.arn,
        'DefaultActions.member.1.Type': 'forward',
        'DefaultActions.member.1.TargetGroupArn': targetGroupArn,
      });
    const isShared = known !== undefined && known.groups.length > 1 && known.groups.includes(targetGroupArn);
    groups.push({ ...published, targetGroupArn, isShared });
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

/** A listener, and the target groups that it forwards to. */
interface Listener {
  readonly arn: string;
  readonly port: number;
  readonly groups: readonly string[];
}

async function listenersOf(balancer: string): Promise<readonly Listener[]> {
  return listenersIn(await callQuery('elb', 'DescribeListeners', { LoadBalancerArn: balancer }));
}

/** The listeners of an answer of DescribeListeners. */
export const listenersIn = (answer: Element): readonly Listener[] =>
  listOf(answer, 'Listeners').map((one) => ({
    arn: textOf(one, 'ListenerArn') ?? '',
    port: Number(textOf(one, 'Port')),
    groups: [...new Set(textsOf(one, 'TargetGroupArn'))],
  }));

/** The texts of all elements of a name, at any depth. */
const textsOf = ({ children }: Element, name: string): readonly string[] =>
  Object.entries(children).flatMap(([own, some]) =>
    some.flatMap((child) => (own === name ? [child.text] : textsOf(child, name))),
  );

/** Whom a security group lets in: ports of TCP, and a range. */
export interface Allowed {
  readonly fromPort: string;
  readonly toPort: string;
  readonly range: string;
}

async function allowedBy(balancer: string, vpc?: string): Promise<readonly Allowed[]> {
  const answer = await callQuery('ec2', 'DescribeSecurityGroups', {
    'Filter.1.Name': 'group-name',
    'Filter.1.Value.1': groupName(balancer),
    ...(vpc === undefined ? {} : { 'Filter.2.Name': 'vpc-id', 'Filter.2.Value.1': vpc }),
  });
  return allowedIn(answer);
}

/** Whom the first security group of an answer of DescribeSecurityGroups lets in, by ranges of IPv4. */
export const allowedIn = (answer: Element): readonly Allowed[] =>
  listOf(answer, 'securityGroupInfo')
    .slice(0, 1)
    .flatMap((group) => listOf(group, 'ipPermissions'))
    .flatMap((permission) =>
      listOf(permission, 'ipRanges').flatMap((one) => {
        const range = textOf(one, 'cidrIp');
        const [fromPort, toPort] = [textOf(permission, 'fromPort'), textOf(permission, 'toPort')];
        return range === undefined || fromPort === undefined || toPort === undefined
          ? []
          : [{ fromPort, toPort, range }];
      }),
    );

const rangesOf = (allowed: readonly Allowed[]): readonly string[] => [
  ...new Set(allowed.map(({ range }) => range).toSorted()),
];

/** Takes all other ranges away; none before the one that is left is there as it was written. */
async function allowOnly(balancer: string, vpc: string, GroupId: string, from: string): Promise<void> {
  const allowed = await allowedBy(balancer, vpc);
  if (!allowed.some(({ range }) => range === from)) return;
  for (const { fromPort, toPort, range } of allowed)
    if (range !== from)
      await callQuery('ec2', 'RevokeSecurityGroupIngress', {
        GroupId,
        'IpPermissions.1.IpProtocol': 'tcp',
        'IpPermissions.1.FromPort': fromPort,
        'IpPermissions.1.ToPort': toPort,
        'IpPermissions.1.IpRanges.1.CidrIp': range,
      });
}

async function groupsOf(balancer: string): Promise<readonly { readonly arn: string; readonly healthPath: string }[]> {
  const answer = await callQuery('elb', 'DescribeTargetGroups', { LoadBalancerArn: balancer });
  return listOf(answer, 'TargetGroups').map((one) => ({
    arn: textOf(one, 'TargetGroupArn') ?? '',
    healthPath: textOf(one, 'HealthCheckPath') ?? '',
  }));
}
