import {
  type DeploymentConfiguration,
  type LoadBalancer,
  type Service,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { activeService, ecsClient, parseService } from './aws-client.ts';
import { CliError } from './errors.ts';
import { groupBeside } from './expose.ts';
import { note, parseOutput, print, printJson } from './output.ts';
import { ApiError, callQuery, listOf, textOf } from './query-api.ts';

export interface StrategyOptions {
  readonly bake: string;
  /** The value of the tag `slipway:judge`; `off` removes it. */
  readonly judge?: string;
  readonly output: string;
}

const strategies = { 'blue-green': 'BLUE_GREEN', linear: 'LINEAR', canary: 'CANARY' } as const;

/** The ECS tag by which steps are judged; the same from Terraform or the AWS CLI. */
const judgeTag = 'slipway:judge';

/** In whose name ECS changes the rules of load balancers. */
const roleName = 'slipwayTrafficShifts';

/**
 * `slipway strategy`: has the deployments of a service shift traffic from one revision to the next. It gets what that needs: a second target
 * group beside the one it has, and a role; its load balancer's rule is found. A second run changes what is said otherwise, and no more.
 */
export async function setStrategy(name: string, strategy: string, options: StrategyOptions): Promise<void> {
  const output = parseOutput(options.output);
  if (!Object.hasOwn(strategies, strategy))
    throw new CliError(`the strategy is one of ${Object.keys(strategies).join(', ')}, not '${strategy}'`, 2);
  if (!/^\d{1,4}$/.test(options.bake)) throw new CliError(`--bake is a number of minutes, not '${options.bake}'`, 2);
  const deploymentConfiguration: DeploymentConfiguration = {
    strategy: strategies[strategy as keyof typeof strategies],
    bakeTimeInMinutes: Number(options.bake),
  };
  const { cluster, service } = parseService(name);
  const client = ecsClient();
  const found = await activeService(client, cluster, service);
  const loadBalancers = await withRules(found, `${cluster}/${service}`);
  const { judge } = options;
  const resourceArn = found.serviceArn ?? '';
  // First: a value that is none changes nothing.
  if (judge === 'off') await client.send(new UntagResourceCommand({ resourceArn, tagKeys: [judgeTag] }));
  else if (judge !== undefined)
    await client.send(new TagResourceCommand({ resourceArn, tags: [{ key: judgeTag, value: judge }] }));
  await client.send(new UpdateServiceCommand({ cluster, service, deploymentConfiguration, loadBalancers }));
  if (output === 'json')
    return printJson({
      service: found.serviceArn,
      deploymentConfiguration,
      loadBalancers,
      ...(judge === undefined ? {} : { judge: judge === 'off' ? null : judge }),
    });
  const judged = judge === undefined ? '' : judge === 'off' ? ', and not judged' : `, and judged (${judge})`;
  print(`${name} is deployed by ${deploymentConfiguration.strategy ?? ''}${judged}`);
  note(`slipway deployments watch ${name} shows how it goes`);
}

/** The service's load balancers with what a shift needs; those that have it stay. @throws CliError when there is none */
async function withRules({ loadBalancers = [] }: Service, owner: string): Promise<LoadBalancer[]> {
  if (loadBalancers.length === 0)
    throw new CliError(`${owner} has no load balancer whose traffic could be shifted: slipway expose ${owner}`);
  const roleArn = await role();
  return Promise.all(
    loadBalancers.map(async (one) =>
      one.advancedConfiguration === undefined
        ? {
            ...one,
            advancedConfiguration: {
              alternateTargetGroupArn: await groupBeside(one.targetGroupArn ?? '', owner),
              productionListenerRule: await ruleOf(one.targetGroupArn ?? ''),
              roleArn,
            },
          }
        : one,
    ),
  );
}

/** The rule that sends requests to a target group. @throws CliError when there are several, or none */
async function ruleOf(targetGroup: string): Promise<string> {
  const [group] = listOf(
    await callQuery('elb', 'DescribeTargetGroups', { 'TargetGroupArns.member.1': targetGroup }),
    'TargetGroups',
  );
  const rules: string[] = [];
  for (const balancer of group === undefined ? [] : listOf(group, 'LoadBalancerArns')) {
    const listeners = await callQuery('elb', 'DescribeListeners', { LoadBalancerArn: balancer.text });
    for (const listener of listOf(listeners, 'Listeners')) {
      const ListenerArn = textOf(listener, 'ListenerArn') ?? '';
      for (const rule of listOf(await callQuery('elb', 'DescribeRules', { ListenerArn }), 'Rules'))
        if (JSON.stringify(rule).includes(targetGroup)) rules.push(textOf(rule, 'RuleArn') ?? '');
    }
  }
  const [first] = rules;
  if (first === undefined || rules.length > 1)
    throw new CliError(
      `${rules.length === 0 ? 'no rule sends' : 'several rules send'} requests to ${targetGroup}: give the service its advancedConfiguration with aws ecs update-service`,
    );
  return first;
}

/** The ARN of the role, which is made when it is not there. */
async function role(): Promise<string> {
  const get = await callQuery('iam', 'GetRole', { RoleName: roleName }).catch((error: unknown) => {
    if (error instanceof ApiError && error.code === 'NoSuchEntity') return undefined;
    throw error;
  });
  const made =
    get ??
    (await callQuery('iam', 'CreateRole', {
      RoleName: roleName,
      AssumeRolePolicyDocument: JSON.stringify({
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Principal: { Service: 'ecs.amazonaws.com' }, Action: 'sts:AssumeRole' }],
      }),
    }));
  return textOf(made, 'Arn') ?? '';
}
