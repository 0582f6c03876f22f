import { expect, test } from 'vitest';

import type { DeploymentRecord, ServiceRecord } from '../state/index.ts';
import { newDeployment, startDeployment } from './deployment.ts';

const advanced = { alternateTargetGroupArn: 'green', productionListenerRule: 'rule', roleArn: 'role' };
const pair = { targetGroupArn: 'blue', containerName: 'main', containerPort: 80, advanced };
const swapped = { ...pair, targetGroupArn: 'green', advanced: { ...advanced, alternateTargetGroupArn: 'blue' } };

const start = (id: string, now = 5) => ({ id, taskDefinition: 'web:1', cause: { kind: 'api' as const }, now });

const draft = {
  taskDefinition: 'web:1',
  deploymentConfiguration: {
    maximumPercent: 200,
    minimumHealthyPercent: 100,
    strategy: { type: 'BLUE_GREEN' },
    bakeTimeInMinutes: 3,
  },
  loadBalancers: [pair],
  version: 1,
} as unknown as ServiceRecord;

const service = (deployments: readonly DeploymentRecord[] = []): ServiceRecord => ({ ...draft, deployments });
const first = newDeployment(service(), start('one'));
const completed = (one: DeploymentRecord): DeploymentRecord => ({ ...one, rolloutState: 'COMPLETED', completedAt: 9 });
const pushed = (before: ServiceRecord, id: string): ServiceRecord => startDeployment(before, start(id, 20));

test('a deployment that shifts traffic begins with no traffic, and with what its configuration says at that time', () => {
  expect(first.shifting).toEqual({
    strategy: { type: 'BLUE_GREEN' },
    bakeTimeInMinutes: 3,
    hooks: [],
    stage: 'RECONCILE_SERVICE',
    stageSince: 5,
    step: 0,
    wanted: { production: 0, test: 0 },
    sequence: 0,
    live: { production: 0, test: 0, since: 5 },
    runs: [],
  });
  const rolling = { ...service(), deploymentConfiguration: { maximumPercent: 200, minimumHealthyPercent: 100 } };
  expect(newDeployment(rolling, start('one'))).not.toHaveProperty('shifting');
});

test('its tasks are registered where those of the serving deployment are not', () => {
  expect(first.loadBalancers).toEqual([pair]);
  const second = pushed(service([completed(first)]), 'two');
  expect(second.deployments.map(({ loadBalancers }) => loadBalancers)).toEqual([[swapped], [pair]]);
  const [newest, ...others] = second.deployments;
  const done = service([completed({ ...(newest as DeploymentRecord), completedAt: 30 }), ...others]);
  expect(pushed(done, 'three').deployments[0]?.loadBalancers).toEqual([pair]);
});

test('a push that supersedes another goes where that one went, for traffic is back by then', () => {
  const second = pushed(service([completed(first)]), 'two');
  expect(pushed(second, 'three').deployments[0]?.loadBalancers).toEqual([swapped]);
  expect(pushed(service([first]), 'two').deployments[0]?.loadBalancers).toEqual([pair]);
});
