import { expect } from 'vitest';

import type { DeploymentConfiguration, ServiceLoadBalancer } from '../../state/index.ts';

import { type Revision, World } from './world.ts';

export const good: Revision = { behaviour: 'good', checks: false };
/** Two target groups, and the rules of production and of test traffic that forward to them. */
export const blue = 'arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/blue/1';
export const green = 'arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/green/2';
const production = 'arn:aws:elasticloadbalancing:us-east-1:000000000000:listener-rule/app/lb/1/2/3';
export const testing = 'arn:aws:elasticloadbalancing:us-east-1:000000000000:listener-rule/app/lb/1/2/4';
const traffic = {
  alternateTargetGroupArn: green,
  productionListenerRule: production,
  roleArn: 'arn:aws:iam::000000000000:role/ecs',
};
/** A service between the two groups. */
export const balancer: ServiceLoadBalancer = {
  targetGroupArn: blue,
  containerName: 'app',
  containerPort: 80,
  advanced: traffic,
};
/** The same with test traffic. */
export const testedBalancer: ServiceLoadBalancer = { ...balancer, advanced: { ...traffic, testListenerRule: testing } };

/** A service of two tasks whose first revision is up and has all traffic. */
export function started(configuration: Partial<DeploymentConfiguration>): World {
  const world = new World({ desired: 2, first: good, loadBalancers: [testedBalancer], configuration });
  world.calm();
  expect(world.service.steady).toBe(true);
  return world;
}

export const blueGreen = { strategy: { type: 'BLUE_GREEN' }, bakeTimeInMinutes: 5 } as const;

/** Passes and reports of agents, without anything of traffic engines or hooks, until nothing changes at this time. */
export function work(world: World, rounds = 12): void {
  for (let round = 0; round < rounds; round++) {
    world.pass();
    for (const task of world.live()) world.step(task.id);
  }
  world.pass();
}

/** Percent that each group is to have of a rule's traffic. */
export const wants = (world: World, arn = production): Record<string, number> =>
  Object.fromEntries(
    (world.shift?.rules.find((rule) => rule.arn === arn)?.groups ?? []).map(({ targetGroupArn, weight }) => [
      targetGroupArn === blue ? 'blue' : 'green',
      weight,
    ]),
  );

/** How many tasks are wanted of each revision. */
export const counts = (world: World): Record<string, number> =>
  Object.fromEntries(
    [...Map.groupBy(world.wanted(), ({ taskDefinition }) => taskDefinition.split(':').at(-1) ?? '')].map(
      ([revision, tasks]) => [revision, tasks.length],
    ),
  );
