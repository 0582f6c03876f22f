import { join } from 'node:path';
import { DescribeServicesCommand, type ECSClient, type Service } from '@aws-sdk/client-ecs';
import type { AwsCli } from './aws-cli.ts';
import { ecsClient, sdkOptions } from './aws-clients.ts';
import { until } from './command.ts';
import type { DockerCli } from './docker.ts';
import { type LoadOptions, type Report, startLoad } from './load/index.ts';
import { makeLocalImage } from './local-images.ts';
import { ElbClient } from './query-clients.ts';
import type { ServerProcess } from './server-process.ts';

/**
 * A service `web` behind a load balancer, as the tests make one that change it under load: the pieces of its making, how they know that
 * a change is done, and the load. What is made stays until the server's data folder goes.
 */

/** Milliseconds that a busy machine may take for a rollout, or for a hundred requests. */
const patience = 240_000;

/** Runs a command; its words may come in groups. */
const call = <T>(aws: AwsCli, ...words: readonly (string | readonly string[])[]): Promise<T> =>
  aws.json<T>(words.flat());

/** A load balancer that was made: its name, its listener's port, and its group of targets. */
export interface Balanced {
  readonly host: string;
  readonly port: number;
  readonly group: string;
  readonly subnet: string;
}

/**
 * Makes the load balancer `web`: one HTTP listener that forwards to one group of ports of machines, looked at as often as may be.
 * @param from who may send something to the default security group's members, CIDR
 */
export async function makeBalancer(
  aws: AwsCli,
  { port, from }: { readonly port: number; readonly from: string },
): Promise<Balanced> {
  const { Subnets } = await aws.json<{ Subnets: [{ SubnetId: string; VpcId: string }] }>(['ec2', 'describe-subnets']);
  const [{ SubnetId: subnet, VpcId: vpc }] = Subnets;
  const { SecurityGroups } = await call<{ SecurityGroups: [{ GroupId: string }] }>(aws, [
    'ec2',
    'describe-security-groups',
    '--filters',
    'Name=group-name,Values=default',
  ]);
  await call(
    aws,
    ['ec2', 'authorize-security-group-ingress', '--group-id', SecurityGroups[0].GroupId],
    ['--protocol', 'tcp', '--port', '0-65535', '--cidr', from],
  );
  const { LoadBalancers } = await call<{ LoadBalancers: [{ LoadBalancerArn: string; DNSName: string }] }>(aws, [
    'elbv2',
    'create-load-balancer',
    '--name',
    'web',
    '--subnets',
    subnet,
  ]);
  const { TargetGroups } = await call<{ TargetGroups: [{ TargetGroupArn: string }] }>(
    aws,
    ['elbv2', 'create-target-group', '--name', 'web', '--protocol', 'HTTP', '--port', '8080', '--vpc-id', vpc],
    ['--target-type', 'instance', '--health-check-interval-seconds', '5', '--health-check-timeout-seconds', '4'],
  );
  const [{ TargetGroupArn: group }] = TargetGroups;
  await call(
    aws,
    ['elbv2', 'create-listener', '--load-balancer-arn', LoadBalancers[0].LoadBalancerArn],
    ['--protocol', 'HTTP', '--port', String(port)],
    ['--default-actions', `Type=forward,TargetGroupArn=${group}`],
  );
  return { host: LoadBalancers[0].DNSName, port, group, subnet };
}

/** A command of the AWS CLI, whose words may come in groups. */
export type Call = <T>(...words: readonly (string | readonly string[])[]) => Promise<T>;

/** What deployments shift traffic between beside a service's own group: another one, and the rule that forwards to both. */
export interface Beside {
  readonly green: string;
  readonly rule: string;
}

/** Makes a second group, and a rule that all requests fit, which forwards to the first one. */
export async function makeBeside(aws: Call, { group }: Pick<Balanced, 'group'>): Promise<Beside> {
  const { TargetGroups } = await aws<{ TargetGroups: [{ LoadBalancerArns: [string]; VpcId: string }] }>([
    'elbv2',
    'describe-target-groups',
    '--target-group-arns',
    group,
  ]);
  const [{ LoadBalancerArns, VpcId }] = TargetGroups;
  const made = await aws<{ TargetGroups: [{ TargetGroupArn: string }] }>(
    ['elbv2', 'create-target-group', '--name', 'green', '--protocol', 'HTTP', '--port', '8080', '--vpc-id', VpcId],
    ['--target-type', 'instance', '--health-check-interval-seconds', '5', '--health-check-timeout-seconds', '4'],
  );
  const { Listeners } = await aws<{ Listeners: [{ ListenerArn: string }] }>([
    'elbv2',
    'describe-listeners',
    '--load-balancer-arn',
    ...LoadBalancerArns,
  ]);
  const { Rules } = await aws<{ Rules: [{ RuleArn: string }] }>(
    ['elbv2', 'create-rule', '--listener-arn', Listeners[0].ListenerArn, '--priority', '1'],
    ['--conditions', 'Field=path-pattern,Values=*'],
    ['--actions', `Type=forward,TargetGroupArn=${group}`],
  );
  return { green: made.TargetGroups[0].TargetGroupArn, rule: Rules[0].RuleArn };
}

/** A service's load balancer whose deployments shift traffic. @param containerName what listens on port 8080 */
export const shiftedBalancer = (group: string, { green, rule }: Beside, containerName: string) => ({
  targetGroupArn: group,
  containerName,
  containerPort: 8080,
  advancedConfiguration: {
    alternateTargetGroupArn: green,
    productionListenerRule: rule,
    roleArn: 'arn:aws:iam::000000000000:role/ecs-load-balancers',
  },
});

/** Makes the image of the tasks: the load's target and Node. */
export async function makeTargetImage(docker: DockerCli, reference: string): Promise<void> {
  await makeLocalImage(docker, {
    reference,
    programs: [process.execPath],
    copies: { [join(import.meta.dirname, 'load', 'target.ts')]: '/target.ts' },
    changes: ['ENV PATH=/usr/local/bin:/bin'],
  });
}

/** The container of the service's tasks. */
export const targetContainer = (image: string) => ({
  name: 'target',
  image,
  memory: 128,
  essential: true,
  stopTimeout: 2,
  portMappings: [{ containerPort: 8080 }],
  // What is told to stop is gone at once: whoever still sends it something, or waits for an answer, hears of it.
  command: ['node', '/target.ts', 'web', '8080', '', JSON.stringify({ onTerm: 'abrupt' })],
});

/**
 * Registers a task definition, `web` unless it is called otherwise, and makes the service of that name.
 * @param more what `create-service` is told beside
 */
export async function makeService(
  aws: AwsCli,
  {
    image,
    group,
    count,
    name = 'web',
  }: { readonly image: string; readonly group: string; readonly count: number; readonly name?: string },
  more: readonly string[] = [],
): Promise<void> {
  await call(
    aws,
    ['ecs', 'register-task-definition', '--family', name],
    ['--container-definitions', JSON.stringify([targetContainer(image)])],
  );
  await call(
    aws,
    ['ecs', 'create-service', '--service-name', name, '--task-definition', name, '--desired-count', String(count)],
    ['--load-balancers', JSON.stringify([{ targetGroupArn: group, containerName: 'target', containerPort: 8080 }])],
    more,
  );
}

/** The service as ECS describes it. */
export async function describeWeb(ecs: ECSClient): Promise<Service> {
  const [service] = (await ecs.send(new DescribeServicesCommand({ services: ['web'] }))).services ?? [];
  if (service === undefined) throw new Error('there is no service');
  return service;
}

/** Waits until the tasks wanted run and all get requests: a task stopped by hand before that could be the only one that did. */
export async function untilSteady(server: ServerProcess, group: string): Promise<void> {
  const ecs = ecsClient(server);
  const elb = new ElbClient(sdkOptions(server));
  try {
    await until('the service to be steady', patience, async () => {
      const { deployments = [], taskSets = [], desiredCount, runningCount } = await describeWeb(ecs);
      const [first, ...others] = [...deployments, ...taskSets];
      if (first === undefined || others.length > 0) return false;
      // Where CodeDeploy deploys there are task sets alone.
      if ('rolloutState' in first && first.rolloutState !== 'COMPLETED') return false;
      if (runningCount !== desiredCount) return false;
      const { text } = (await elb.send({ name: 'DescribeTargetHealth', input: { TargetGroupArn: group } })) as {
        readonly text: string;
      };
      const states = [...text.matchAll(/<State>([a-z.]+)</g)].map(([, state]) => state);
      return states.length === desiredCount && states.every((state) => state === 'healthy');
    });
  } finally {
    ecs.destroy();
  }
}

/**
 * Load of every kind of client from before the work to after it.
 * @param address where the load balancer is reached
 * @param more other clients, or such as rest longer
 * @returns how every request went
 */
export async function underLoad(
  address: string,
  { host, port }: Pick<Balanced, 'host' | 'port'>,
  work: () => Promise<void>,
  more: Pick<LoadOptions, 'mix' | 'ease'> = {},
): Promise<Report> {
  const load = startLoad({
    address,
    port,
    host,
    services: ['web'],
    bigBytes: 300_000,
    mix: { busy: 1, posting: 1, thinking: 1, idling: 1, fresh: 1, slow: 1, events: 1, webSocket: 1 },
    ...more,
  });
  const ended = async (): Promise<void> => {
    const before = load.total;
    await until('requests', patience, async () => load.total > before + 100, 20);
  };
  try {
    await ended();
    await work();
    await ended();
  } catch (error) {
    await load.stop();
    throw error;
  }
  return load.stop();
}
