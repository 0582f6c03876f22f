import {
  DescribeTaskDefinitionCommand,
  type ECSClient,
  type LoadBalancer,
  type Service,
  type TaskDefinition,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { setTimeout as sleep } from 'node:timers/promises';
import { activeService, ecsClient, parseService } from './aws-client.ts';
import { CliError } from './errors.ts';
import { balancerDetails } from './lb.ts';
import { note, parseOutput, print, printJson } from './output.ts';
import { ApiError, callQuery, find, listOf, textOf } from './query-api.ts';

export interface ExposeOptions {
  readonly port: string;
  readonly container?: string;
  readonly containerPort?: string;
  readonly name?: string;
  readonly healthPath: string;
  readonly from: string;
  readonly wait: boolean;
  readonly remove?: true;
  readonly output: string;
}

/** Says whose a load balancer is, so that nobody else's is changed. */
const ownerTag = 'slipway:expose';
/** How long targets are waited for, in milliseconds, and the pause between looks. */
const patience = 180_000;
const pause = 500;

/** `slipway expose`: a load balancer for a service, and its URL; a second run changes nothing. */
export async function expose(name: string, options: ExposeOptions): Promise<void> {
  const output = parseOutput(options.output);
  const port = portOf(options.port, '--port');
  const containerPort =
    options.containerPort === undefined ? undefined : portOf(options.containerPort, '--container-port');
  const { cluster, service } = parseService(name);
  const balancer = options.name ?? balancerName(cluster, service);
  const client = ecsClient();
  const found = await activeService(client, cluster, service);
  if (options.remove) return remove(client, found, { cluster, service, balancer, output });

  const { taskDefinition } = await client.send(
    new DescribeTaskDefinitionCommand({ taskDefinition: found.taskDefinition }),
  );
  const target = targetOf(taskDefinition ?? {}, options.container, containerPort);
  const place = await placeOf(found, taskDefinition ?? {});
  const owner = `${cluster}/${service}`;
  // Before anything of its name is changed: that may be somebody else's.
  await balancerOf(balancer, owner);
  const group = await securityGroup(balancer, place.vpc, port, options.from);
  const { arn, dnsName } = await loadBalancer(balancer, place.subnets, group, owner);
  const targetGroup = await groupFor(balancer, place, target.containerPort, options.healthPath, owner);
  await listener(arn, port, targetGroup);
  const wanted: LoadBalancer = { targetGroupArn: targetGroup, ...target };
  const changed = await join(client, found, cluster, wanted);
  const url = `http://${dnsName}${port === 80 ? '' : `:${port}`}`;
  const serving = options.wait && (found.desiredCount ?? 0) > 0 ? await untilServing(balancer, targetGroup) : undefined;
  if (output === 'json')
    return printJson({
      url,
      loadBalancer: balancer,
      loadBalancerArn: arn,
      targetGroupArn: targetGroup,
      ...target,
      changed,
      serving: serving ?? null,
    });
  print(url);
  if (!changed) note(`${owner} was exposed already`);
  if (serving === undefined) note(`requests are answered as soon as tasks are healthy: slipway lb show ${balancer}`);
}

/** The name that a service's load balancer has unless it is said otherwise; ELB takes 32 letters, digits and hyphens. */
export function balancerName(cluster: string, service: string): string {
  const name = cluster === 'default' ? service : `${cluster}-${service}`;
  const fit = name
    .replaceAll(/[^a-zA-Z0-9-]/g, '-')
    .slice(0, 32)
    .replaceAll(/^-+|-+$/g, '');
  if (fit === '' || /^internal-/i.test(fit))
    throw new CliError(`a load balancer cannot be named '${name}': choose a name with --name`, 2);
  return fit;
}

function portOf(text: string, option: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535)
    throw new CliError(`${option} is a port from 1 to 65535, not '${text}'`, 2);
  return port;
}

/**
 * The container and port of it that get the requests. @throws CliError when none can, or when several could and none is named
 */
export function targetOf(
  { family = '', revision = 0, containerDefinitions = [], networkMode }: TaskDefinition,
  container: string | undefined,
  containerPort: number | undefined,
): { readonly containerName: string; readonly containerPort: number } {
  const named = `${family}:${revision}`;
  if (networkMode === 'none') throw new CliError(`tasks of ${named} have no network (networkMode none)`);
  if (container !== undefined && !containerDefinitions.some(({ name }) => name === container))
    throw new CliError(
      `${named} has no container ${container}, only ${containerDefinitions.map(({ name }) => name).join(', ')}`,
    );
  const all = containerDefinitions.flatMap(({ name = '', portMappings = [] }) =>
    portMappings.flatMap(({ containerPort, protocol = 'tcp' }) =>
      protocol === 'tcp' && containerPort !== undefined ? [{ containerName: name, containerPort }] : [],
    ),
  );
  const candidates = all.filter(
    (one) =>
      (container === undefined || one.containerName === container) &&
      (containerPort === undefined || one.containerPort === containerPort),
  );
  const [first] = candidates;
  const texts = (some: typeof all): string => some.map((one) => `${one.containerName}:${one.containerPort}`).join(', ');
  if (first === undefined)
    throw new CliError(
      all.length === 0
        ? `no container of ${named} has a container port: register a revision whose container has "portMappings": [{ "containerPort": 8080 }] and update the service to it`
        : `no container of ${named} has that port; there are ${texts(all)}`,
    );
  if (candidates.length > 1) {
    const option = new Set(candidates.map((one) => one.containerName)).size > 1 ? '--container' : '--container-port';
    throw new CliError(`which of ${texts(candidates)} gets the requests? Say it with ${option}`, 2);
  }
  return first;
}

/** The network that a load balancer is in, and what its targets are. */
export interface Place {
  readonly vpc: string;
  readonly subnets: readonly string[];
  readonly targetType: 'ip' | 'instance';
}

/** Where the load balancer is: with tasks that have addresses of their own, else in the default network. */
export async function placeOf({ networkConfiguration }: Service, { networkMode }: TaskDefinition): Promise<Place> {
  const own = networkMode === 'awsvpc' ? (networkConfiguration?.awsvpcConfiguration?.subnets ?? []) : [];
  const asked: Record<string, string> =
    own.length > 0
      ? Object.fromEntries(own.map((id, i) => [`SubnetId.${i + 1}`, id]))
      : { 'Filter.1.Name': 'default-for-az', 'Filter.1.Value.1': 'true' };
  const subnets = listOf(await callQuery('ec2', 'DescribeSubnets', asked), 'subnetSet');
  const vpc = textOf(subnets[0], 'vpcId');
  if (vpc === undefined)
    throw new CliError('there is no default network to put a load balancer into: aws ec2 create-default-vpc makes one');
  return {
    vpc,
    subnets: subnets.flatMap((subnet) => textOf(subnet, 'subnetId') ?? []),
    targetType: networkMode === 'awsvpc' ? 'ip' : 'instance',
  };
}

/** A security group that lets clients through to the listener. */
export async function securityGroup(balancer: string, vpc: string, port: number, from: string): Promise<string> {
  const name = groupName(balancer);
  const id =
    (await securityGroupOf(name, vpc)) ??
    textOf(
      await callQuery('ec2', 'CreateSecurityGroup', {
        GroupName: name,
        GroupDescription: `who may reach the load balancer ${balancer}`,
        VpcId: vpc,
      }),
      'groupId',
    );
  if (id === undefined) throw new CliError(`the security group ${name} was not made`);
  try {
    await callQuery('ec2', 'AuthorizeSecurityGroupIngress', {
      GroupId: id,
      'IpPermissions.1.IpProtocol': 'tcp',
      'IpPermissions.1.FromPort': String(port),
      'IpPermissions.1.ToPort': String(port),
      'IpPermissions.1.IpRanges.1.CidrIp': from,
    });
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'InvalidPermission.Duplicate') throw error;
  }
  return id;
}

export const groupName = (balancer: string): string => `slipway-expose-${balancer}`;

export async function securityGroupOf(name: string, vpc?: string): Promise<string | undefined> {
  const answer = await callQuery('ec2', 'DescribeSecurityGroups', {
    'Filter.1.Name': 'group-name',
    'Filter.1.Value.1': name,
    ...(vpc === undefined ? {} : { 'Filter.2.Name': 'vpc-id', 'Filter.2.Value.1': vpc }),
  });
  return textOf(listOf(answer, 'securityGroupInfo')[0], 'groupId');
}

/** A load balancer that is there. */
export interface Made {
  readonly arn: string;
  readonly dnsName: string;
}

/** A load balancer by its name; undefined when there is none. @throws CliError when it is not of this service */
export async function balancerOf(name: string, owner: string): Promise<Made | undefined> {
  let found: Made;
  try {
    const answer = await callQuery('elb', 'DescribeLoadBalancers', { 'Names.member.1': name });
    found = { arn: textOf(answer, 'LoadBalancerArn') ?? '', dnsName: textOf(answer, 'DNSName') ?? '' };
  } catch (error) {
    if (error instanceof ApiError && error.code === 'LoadBalancerNotFound') return undefined;
    throw error;
  }
  await checkOwner(found.arn, `a load balancer ${name}`, owner);
  return found;
}

async function checkOwner(arn: string, what: string, owner: string): Promise<void> {
  const tags = listOf(await callQuery('elb', 'DescribeTags', { 'ResourceArns.member.1': arn }), 'Tags');
  const whose = tags.find((tag) => textOf(tag, 'Key') === ownerTag);
  if (textOf(whose, 'Value') !== owner)
    throw new CliError(
      `there is ${what} already that slipway expose did not make for ${owner}: choose another name with --name, or remove it`,
    );
}

const tagged = (owner: string): Readonly<Record<string, string>> => ({
  'Tags.member.1.Key': ownerTag,
  'Tags.member.1.Value': owner,
});

export async function loadBalancer(
  name: string,
  subnets: readonly string[],
  group: string,
  owner: string,
): Promise<Made> {
  const known = await balancerOf(name, owner);
  if (known !== undefined) return known;
  const answer = await callQuery('elb', 'CreateLoadBalancer', {
    Name: name,
    ...Object.fromEntries(subnets.map((id, i) => [`Subnets.member.${i + 1}`, id])),
    'SecurityGroups.member.1': group,
    ...tagged(owner),
  });
  return { arn: textOf(answer, 'LoadBalancerArn') ?? '', dnsName: textOf(answer, 'DNSName') ?? '' };
}

export async function targetGroupOf(name: string, owner: string): Promise<string | undefined> {
  try {
    const arn = textOf(await callQuery('elb', 'DescribeTargetGroups', { 'Names.member.1': name }), 'TargetGroupArn');
    if (arn !== undefined) await checkOwner(arn, `a target group ${name}`, owner);
    return arn;
  } catch (error) {
    if (error instanceof ApiError && error.code === 'TargetGroupNotFound') return undefined;
    throw error;
  }
}

export async function groupFor(
  name: string,
  { vpc, targetType }: Place,
  port: number,
  healthPath: string,
  owner: string,
): Promise<string> {
  const known = await targetGroupOf(name, owner);
  if (known !== undefined) return known;
  const answer = await callQuery('elb', 'CreateTargetGroup', {
    Name: name,
    Protocol: 'HTTP',
    Port: String(port),
    VpcId: vpc,
    TargetType: targetType,
    HealthCheckPath: healthPath,
    HealthCheckIntervalSeconds: '5',
    HealthCheckTimeoutSeconds: '4',
    ...tagged(owner),
  });
  return textOf(answer, 'TargetGroupArn') ?? '';
}

/** A second target group that is like another one of the service's, for revisions to come. @returns its ARN */
export async function groupBeside(targetGroup: string, owner: string): Promise<string> {
  const answer = await callQuery('elb', 'DescribeTargetGroups', { 'TargetGroupArns.member.1': targetGroup });
  const [found] = listOf(answer, 'TargetGroups');
  const name = nextName(textOf(found, 'TargetGroupName') ?? '');
  const known = await targetGroupOf(name, owner);
  if (known !== undefined) return known;
  const members = [
    'Protocol',
    'Port',
    'VpcId',
    'TargetType',
    'ProtocolVersion',
    'HealthCheckProtocol',
    'HealthCheckPort',
    'HealthCheckPath',
    'HealthCheckIntervalSeconds',
    'HealthCheckTimeoutSeconds',
    'HealthyThresholdCount',
    'UnhealthyThresholdCount',
    'Matcher.HttpCode',
    'Matcher.GrpcCode',
  ].flatMap((member) => {
    const value = textOf(found, member.slice(member.indexOf('.') + 1));
    return value === undefined ? [] : [[member, value] as const];
  });
  const made = await callQuery('elb', 'CreateTargetGroup', {
    Name: name,
    ...Object.fromEntries(members),
    ...tagged(owner),
  });
  return textOf(made, 'TargetGroupArn') ?? '';
}

const nextName = (group: string): string => `${group.slice(0, 27)}-next`;

/** A listener that forwards to the group. @throws ApiError with why no engine has bound it */
export async function listener(balancerArn: string, port: number, targetGroup: string): Promise<void> {
  const known = listOf(await callQuery('elb', 'DescribeListeners', { LoadBalancerArn: balancerArn }), 'Listeners');
  const same = known.find((one) => find(one, 'Port')?.text === String(port));
  if (same === undefined) {
    await callQuery('elb', 'CreateListener', {
      LoadBalancerArn: balancerArn,
      Protocol: 'HTTP',
      Port: String(port),
      'DefaultActions.member.1.Type': 'forward',
      'DefaultActions.member.1.TargetGroupArn': targetGroup,
    });
    return;
  }
  if (textOf(same, 'TargetGroupArn') !== targetGroup)
    throw new CliError(
      `the load balancer has a listener on port ${port} that sends requests elsewhere: choose another --port`,
    );
}

/** Has the service register its tasks, unless it does already. @returns whether it was changed */
async function join(client: ECSClient, service: Service, cluster: string, wanted: LoadBalancer): Promise<boolean> {
  const had = service.loadBalancers ?? [];
  const isSame = (one: LoadBalancer): boolean =>
    one.targetGroupArn === wanted.targetGroupArn &&
    one.containerName === wanted.containerName &&
    one.containerPort === wanted.containerPort;
  if (had.some(isSame)) return false;
  const others = had.filter(({ targetGroupArn }) => targetGroupArn !== wanted.targetGroupArn);
  await client.send(
    new UpdateServiceCommand({ cluster, service: service.serviceName, loadBalancers: [...others, wanted] }),
  );
  return true;
}

/** Waits until a target of the group is healthy. @throws CliError with how the targets stand when that takes too long */
export async function untilServing(balancer: string, targetGroup: string): Promise<true> {
  for (let waited = 0; ; waited += pause) {
    const answer = await callQuery('elb', 'DescribeTargetHealth', { TargetGroupArn: targetGroup });
    const targets = listOf(answer, 'TargetHealthDescriptions');
    if (targets.some((one) => textOf(one, 'State') === 'healthy')) return true;
    if (waited >= patience) {
      const { targetGroups } = await balancerDetails(balancer);
      const states = targetGroups.flatMap((group) =>
        group.targets.map(
          (one) => `${one.address} is ${one.state}${one.description === undefined ? '' : ` (${one.description})`}`,
        ),
      );
      throw new CliError(
        `no task of the service has become healthy within ${patience / 1000} s: ${states.join('; ') || 'none was registered'}. slipway explain says more; --health-path sets what is asked`,
      );
    }
    await sleep(pause);
  }
}

/** Takes the service out of its load balancer and removes what `expose` has made. */
async function remove(
  client: ECSClient,
  found: Service,
  {
    cluster,
    service,
    balancer,
    output,
  }: { cluster: string; service: string; balancer: string; output: 'text' | 'json' },
): Promise<void> {
  const owner = `${cluster}/${service}`;
  const made = await balancerOf(balancer, owner);
  const targetGroup = await targetGroupOf(balancer, owner);
  const next = await targetGroupOf(nextName(balancer), owner);
  const rest = (found.loadBalancers ?? []).filter(({ targetGroupArn }) => targetGroupArn !== targetGroup);
  if (targetGroup !== undefined && rest.length < (found.loadBalancers ?? []).length)
    await client.send(new UpdateServiceCommand({ cluster, service, loadBalancers: rest }));
  if (made !== undefined) await callQuery('elb', 'DeleteLoadBalancer', { LoadBalancerArn: made.arn });
  for (const group of [targetGroup, next])
    if (group !== undefined) await callQuery('elb', 'DeleteTargetGroup', { TargetGroupArn: group });
  const group = await securityGroupOf(groupName(balancer));
  if (group !== undefined) await callQuery('ec2', 'DeleteSecurityGroup', { GroupId: group });
  const removed = made !== undefined || targetGroup !== undefined || group !== undefined;
  if (output === 'json') printJson({ loadBalancer: balancer, removed });
  else print(removed ? `${owner} has no load balancer ${balancer} any more` : `${owner} was not exposed`);
}
