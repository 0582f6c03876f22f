import { World } from '@slipway/scheduler/deployments/testing';
import { median, quantile } from './results.ts';

const group = (name: string): string => `arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/${name}/1`;

/** What a pass over a service costs, in milliseconds of a core. */
export interface PassFigures {
  readonly tasks: number;
  readonly median: number;
  readonly p90: number;
}

/**
 * Passes over a service in the middle of a shift: as many tasks of the old revision as of the new, both in rotation, while the first step
 * bakes. Processor time, with what the plan changes carried out in memory.
 * @param tasks of each revision
 */
export function measurePass(tasks: number, passes: number): PassFigures {
  const world = new World({
    hosts: 1,
    room: 10 * tasks,
    desired: tasks,
    first: { behaviour: 'good', checks: false },
    loadBalancers: [
      {
        targetGroupArn: group('blue'),
        containerName: 'app',
        containerPort: 80,
        advanced: {
          alternateTargetGroupArn: group('green'),
          productionListenerRule: 'arn:aws:elasticloadbalancing:us-east-1:000000000000:listener-rule/app/lb/1/2/3',
          roleArn: 'arn:aws:iam::000000000000:role/ecs',
        },
      },
    ],
    configuration: { strategy: { type: 'CANARY', canaryPercent: 10, canaryBakeTimeInMinutes: 60 } },
  });
  world.calm();
  world.deploy({ behaviour: 'good', checks: false });
  const mid = (): boolean => world.primary().shifting?.live.production === 10;
  for (let round = 0; round < 1000 && !mid(); round++) {
    world.pass();
    for (const task of world.live()) world.step(task.id);
    world.acknowledge();
    world.now += 1000;
  }
  if (!mid() || world.wanted().length !== 2 * tasks) throw new Error('the shift did not come to its first step');
  const costs = Array.from({ length: passes }, () => {
    const before = process.cpuUsage();
    world.pass();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  return { tasks, median: median(costs), p90: quantile(costs, 0.9) };
}
