import type { DeploymentRecord, ServiceLoadBalancer, ShiftRecord } from '../state/index.ts';

import type { Pass } from './pass.ts';

type Rules = ShiftRecord['rules'];

/** Percent of production and of test traffic. */
export interface Percents {
  readonly production: number;
  readonly test: number;
}

/** Weights of two groups for a percentage with one decimal at most; neither is above 999. */
export function weightsOf(percent: number): readonly [own: number, other: number] {
  if (Number.isInteger(percent)) return [percent, 100 - percent];
  const tenths = Math.round(percent * 10);
  return [tenths, 1000 - tenths];
}

/** What the rules of a deployment's load balancers have to say, so that it gets so much; none where nothing of it can be shifted. */
export function rulesOf({ loadBalancers = [] }: DeploymentRecord, { production, test }: Percents): Rules {
  const rule = (arn: string, own: string, other: string, percent: number): Rules[number] => {
    const [more, less] = weightsOf(percent);
    return {
      arn,
      groups: [
        { targetGroupArn: own, weight: more },
        { targetGroupArn: other, weight: less },
      ],
    };
  };
  return loadBalancers.flatMap(({ targetGroupArn: own, advanced }) => {
    if (advanced === undefined) return [];
    const { alternateTargetGroupArn: other, productionListenerRule, testListenerRule } = advanced;
    return [
      rule(productionListenerRule, own, other, production),
      ...(testListenerRule === undefined ? [] : [rule(testListenerRule, own, other, test)]),
    ];
  });
}

/** The same with its two target groups the other way round; as it is, where it has one only. */
export const inOtherGroup = (one: ServiceLoadBalancer): ServiceLoadBalancer =>
  one.advanced === undefined
    ? one
    : {
        ...one,
        targetGroupArn: one.advanced.alternateTargetGroupArn,
        advanced: { ...one.advanced, alternateTargetGroupArn: one.targetGroupArn },
      };

/** Whether rules of load balancers say who gets the deployment's traffic. */
export const hasRules = ({ loadBalancers = [] }: DeploymentRecord): boolean =>
  loadBalancers.some(({ advanced }) => advanced !== undefined);

/** Whether the deployment has a rule of its own for test traffic. */
export const hasTestRule = ({ loadBalancers = [] }: DeploymentRecord): boolean =>
  loadBalancers.some(({ advanced }) => advanced?.testListenerRule !== undefined);

/**
 * Wants the rules of the deployment's load balancers to say so from now on. What they were told before and is the same stays, under its
 * number; everything else gets the next one.
 * @returns the number to wait for; 0 where there is no rule
 */
export function wantRules(pass: Pass, deployment: DeploymentRecord, percents: Percents): number {
  const rules = rulesOf(deployment, percents);
  if (rules.length === 0) return 0;
  const before = pass.shift ?? pass.state.shift;
  if (before !== undefined && isSame(before.rules, rules)) return before.sequence;
  pass.shift = { service: pass.service.name, sequence: (before?.sequence ?? 0) + 1, rules };
  return pass.shift.sequence;
}

/** Whether both say the same of the same groups, in whatever order. */
function isSame(one: Rules, other: Rules): boolean {
  const said = (rules: Rules): string[] =>
    rules
      .flatMap(({ arn, groups }) => groups.map(({ targetGroupArn, weight }) => `${arn} ${targetGroupArn} ${weight}`))
      .sort();
  return said(one).join() === said(other).join();
}
