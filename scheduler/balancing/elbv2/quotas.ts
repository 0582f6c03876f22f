import { type Balancing, mostGroupsOfAction } from '../records/index.ts';

import { tooMany } from './errors.ts';

/** How much of each there may be, at or below what ELB gives (ELB user guides, "Quotas"). */
export const mostBalancers = 50;
export const mostGroups = 3000;
export const mostListeners = 50;
/** Rules of a load balancer without default ones. */
export const mostRules = 100;
/** Groups that one load balancer's actions name. */
export const mostGroupsOfBalancer = 100;
export const mostTargetsOfGroup = 1000;
export const mostTargetsOfBalancer = 1000;
/** Certificates of a listener beside its default one. */
export const mostCertificates = 25;
export const mostConditionValues = 3;
export const mostValuesOfRule = 5;
export const mostWildcardsOfRule = 5;

/** The limits that DescribeAccountLimits lists. */
export const accountLimits: Readonly<Record<string, number>> = {
  'application-load-balancers': mostBalancers,
  'certificates-per-application-load-balancer': mostCertificates,
  'certificates-per-network-load-balancer': mostCertificates,
  'condition-values-per-alb-rule': mostValuesOfRule,
  'condition-wildcards-per-alb-rule': mostWildcardsOfRule,
  'listeners-per-application-load-balancer': mostListeners,
  'listeners-per-network-load-balancer': mostListeners,
  'network-load-balancers': mostBalancers,
  'rules-per-application-load-balancer': mostRules,
  'target-groups': mostGroups,
  'target-groups-per-action-on-application-load-balancer': mostGroupsOfAction,
  'target-groups-per-action-on-network-load-balancer': mostGroupsOfAction,
  'target-groups-per-application-load-balancer': mostGroupsOfBalancer,
  'targets-per-application-load-balancer': mostTargetsOfBalancer,
  'targets-per-availability-zone-per-network-load-balancer': mostTargetsOfBalancer,
  'targets-per-network-load-balancer': mostTargetsOfBalancer,
  'targets-per-target-group': mostTargetsOfGroup,
};

/** How many targets groups have. One that drains is over: who replaces every target at once needs no room for both. */
export function countOf(balancing: Balancing, groups: Iterable<string>): number {
  let count = 0;
  for (const id of groups)
    count += balancing.targetsOf(id).filter(({ deregisteredAt }) => deregisteredAt === undefined).length;
  return count;
}

/** @param groups all that a load balancer's actions name. @throws TooManyTargets */
export function checkTargets(balancing: Balancing, groups: Iterable<string>): void {
  if (countOf(balancing, groups) > mostTargetsOfBalancer)
    throw tooMany('TooManyTargets', 'targets of a load balancer', mostTargetsOfBalancer);
}
