import { invalidParameter } from '../cluster/index.ts';
import type { ServiceLoadBalancer, ServiceRecord } from '../state/index.ts';
import { stableJson } from '../tasks/index.ts';
import { counterpartOf, primaryOf, servingOf } from './deployment.ts';
import type { TargetGroups } from './load-balancers.ts';

/** What services know of a rule, or of a listener, which forwards to its groups without conditions. */
export interface TrafficRule {
  readonly kind: 'rule' | 'listener';
  readonly balancer: { readonly name: string; readonly type: 'application' | 'network' };
  /** ARNs of the target groups that it forwards to; empty when it does something else. */
  readonly groups: readonly string[];
}

/**
 * Checks that the rules which a service's deployments are to rewrite are there, and forward to its two groups, or one of them so far.
 * @throws InvalidParameterException that says what to change
 */
export async function checkRules(
  groups: Pick<TargetGroups, 'find' | 'rule'>,
  account: string,
  balancers: readonly ServiceLoadBalancer[],
): Promise<void> {
  for (const { targetGroupArn, advanced } of balancers) {
    if (advanced === undefined) continue;
    const pair = [targetGroupArn, advanced.alternateTargetGroupArn];
    const check = async (member: 'productionListenerRule' | 'testListenerRule', arn: string): Promise<TrafficRule> => {
      const rule = await groups.rule(account, arn);
      if (rule === undefined) throw invalidParameter(`The ${member} ${arn} does not exist.`);
      checkKind(member, rule);
      for (const group of pair) {
        const used = (await groups.find(account, group))?.usedBy;
        if (used !== undefined && used !== rule.balancer.name)
          throw invalidParameter(
            `The ${member} is of the load balancer ${rule.balancer.name}, and the target group ${group} of ${used}: name rules and groups of the same one.`,
          );
      }
      if (rule.groups.length === 0 || !rule.groups.every((group) => pair.includes(group)))
        throw invalidParameter(
          `The ${member} must forward to the target groups ${pair.join(' and ')}, and to no other: ` +
            'let it forward to the first one (modify-rule, modify-listener); deployments add the second one and set the weights.',
        );
      return rule;
    };
    await check('productionListenerRule', advanced.productionListenerRule);
    if (advanced.testListenerRule !== undefined) await check('testListenerRule', advanced.testListenerRule);
  }
}

function checkKind(member: string, { kind, balancer }: TrafficRule): void {
  if (balancer.type === 'application' && kind === 'listener')
    throw invalidParameter(
      `The ${member} must be the ARN of a rule, since ${balancer.name} is an Application Load Balancer: describe-rules shows a listener's, the default one too.`,
    );
  if (balancer.type === 'network' && kind === 'rule')
    throw invalidParameter(
      `The ${member} must be the ARN of a listener, since ${balancer.name} is a Network Load Balancer.`,
    );
}

/**
 * Checks that a service as it is to be has what its strategy needs of its load balancers, and that traffic can get from where it is now.
 * @param before the service as it is; undefined when it is created
 * @throws InvalidParameterException that says what to change
 */
export function checkShift(
  after: Pick<ServiceRecord, 'deploymentConfiguration' | 'loadBalancers'>,
  before: ServiceRecord | undefined,
): void {
  const { loadBalancers = [] } = after;
  const strategy = after.deploymentConfiguration.strategy?.type;
  for (const { advanced, targetGroupArn } of loadBalancers) {
    if (strategy === undefined && advanced !== undefined)
      throw invalidParameter(
        `The load balancer of ${targetGroupArn} has an advancedConfiguration, which the strategies BLUE_GREEN, LINEAR and CANARY use: remove it, or set deploymentConfiguration.strategy.`,
      );
    if (strategy !== undefined && advanced === undefined)
      throw invalidParameter(
        `The strategy ${strategy} needs an advancedConfiguration of the load balancer of ${targetGroupArn}: give its alternateTargetGroupArn, productionListenerRule and roleArn.`,
      );
  }
  if (before === undefined) return;
  const shifted = before.deploymentConfiguration.strategy !== undefined;
  const primary = primaryOf(before);
  const moved =
    strategy !== before.deploymentConfiguration.strategy?.type ||
    stableJson(loadBalancers) !== stableJson(before.loadBalancers ?? []);
  if (moved && primary?.shifting !== undefined && primary.rolloutState !== 'COMPLETED')
    throw invalidParameter(
      'The newest deployment has not shifted all traffic yet: wait for its end or stop it (StopServiceDeployment) before you change the strategy or the load balancers.',
    );
  if (strategy === undefined && !shifted) return;
  const serving = servingOf(before);
  for (const one of loadBalancers) {
    const from = counterpartOf(serving, one)?.targetGroupArn;
    if (from === undefined || from === one.targetGroupArn || from === one.advanced?.alternateTargetGroupArn) continue;
    throw invalidParameter(
      `The tasks that serve port ${one.containerPort} of ${one.containerName} are in the target group ${from}: ` +
        (strategy === undefined
          ? 'make it the targetGroupArn.'
          : 'make it the targetGroupArn or the alternateTargetGroupArn.'),
    );
  }
}
