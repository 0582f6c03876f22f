import { expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { appSpecOf } from './deploy-by-codedeploy.ts';
import { containerFor, registration } from './deploy.ts';
import { watchOne } from './deployments.ts';
import { lineOf, remembered } from './service-deployments.ts';

const one = (name: string, image: string) => ({ name, image });
const definition = (...containerDefinitions: { name: string; image: string }[]) => ({
  family: 'web',
  revision: 3,
  containerDefinitions,
});

test('an image goes to the only container, the named one, or the only one of its repository', () => {
  const two = definition(one('app', 'localhost:7500/web:1'), one('proxy', 'envoy:2'));
  expect(containerFor(definition(one('app', 'web:1')), 'other:2', undefined).name).toBe('app');
  expect(containerFor(two, `localhost:7500/web@sha256:${'0'.repeat(64)}`, undefined).name).toBe('app');
  expect(containerFor(two, 'docker.io/library/envoy', undefined).name).toBe('proxy');
  expect(containerFor(two, 'other:1', 'proxy').name).toBe('proxy');
  expect(() => containerFor(two, 'other:1', undefined)).toThrow('Say it with --container: app, proxy');
  expect(() => containerFor(two, 'envoy:3', 'side')).toThrow('web:3 has no container side, only app, proxy');
  const twins = definition(one('a', 'web:1'), one('b', 'web:1'));
  expect(() => containerFor(twins, 'web:2', undefined)).toThrow('Say it with --container: a, b');
});

test('what ECS added to a revision is not registered again', () => {
  const read = {
    ...definition(one('app', 'web:1')),
    taskDefinitionArn: 'arn',
    status: 'ACTIVE' as const,
    requiresAttributes: [{ name: 'x' }],
    compatibilities: ['EC2' as const],
    registeredAt: new Date(0),
    registeredBy: 'me',
    cpu: '256',
  };
  expect(registration(read)).toEqual({ family: 'web', containerDefinitions: [one('app', 'web:1')], cpu: '256' });
});

test('an AppSpec for CodeDeploy is the last one with another revision, hooks and all', () => {
  const yaml = `version: 0.0
Resources:
  - TargetService:
      # ours
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: "web:1"
        LoadBalancerInfo: { ContainerName: web, ContainerPort: 8080 }
Hooks:
  - AfterAllowTestTraffic: https://example.com/check
`;
  expect(appSpecOf(yaml, {}, 'web:2')).toBe(yaml.replace('"web:1"', 'web:2'));
  const json = JSON.stringify({
    version: 0,
    Resources: [{ X: { Properties: { taskDefinition: 'web:1' } } }],
    Hooks: [],
  });
  expect(parse(appSpecOf(json, {}, 'arn:aws:ecs:r:1:task-definition/web:2'))).toEqual({
    version: 0,
    Resources: [{ X: { Properties: { taskDefinition: 'arn:aws:ecs:r:1:task-definition/web:2' } } }],
    Hooks: [],
  });
  const loadBalancers = [{ targetGroupArn: 'a', containerName: 'web', containerPort: 8080 }];
  expect(JSON.parse(appSpecOf(undefined, { loadBalancers }, 'web:2'))).toMatchObject({
    version: '0.0',
    Resources: [
      { TargetService: { Properties: { TaskDefinition: 'web:2', LoadBalancerInfo: { ContainerName: 'web' } } } },
    ],
  });
  expect(() => appSpecOf(undefined, { serviceName: 'web' }, 'web:2')).toThrow('web has no load balancer');
});

test('deployments are read page by page, no more of them than are wanted', async () => {
  const asked: (string | undefined)[] = [];
  const send = (command: { input: { nextToken?: string } }) => {
    const page = Number(command.input.nextToken ?? '0');
    asked.push(command.input.nextToken);
    return Promise.resolve({
      serviceDeployments: [{ serviceDeploymentArn: `a/${page}` }, { serviceDeploymentArn: `b/${page}` }],
      ...(page < 2 ? { nextToken: String(page + 1) } : {}),
    });
  };
  const client = { send } as never;
  const all: (string | undefined)[] = [];
  for await (const one of remembered(client, 'default', 'web')) all.push(one.serviceDeploymentArn);
  expect(all).toEqual(['a/0', 'b/0', 'a/1', 'b/1', 'a/2', 'b/2']);
  expect(asked.splice(0)).toEqual([undefined, '1', '2']);
  for await (const _newest of remembered(client, 'default', 'web')) break;
  expect(asked).toEqual([undefined]);
});

test('a deployment is told in one line: where it is, who has the traffic and the tasks, and what it waits for', () => {
  const counts = { requestedTaskCount: 2, runningTaskCount: 2, pendingTaskCount: 0 };
  const shift = {
    status: 'IN_PROGRESS' as const,
    lifecycleStage: 'PRODUCTION_TRAFFIC_SHIFT' as const,
    statusReason: 'waits',
    targetServiceRevision: { ...counts, requestedProductionTrafficWeight: 12.5, requestedTestTrafficWeight: 100 },
    sourceServiceRevisions: [counts, { ...counts, runningTaskCount: 1 }],
  };
  expect(lineOf(shift)).toBe(
    'IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT; production 12.5 % new; test 100 % new; tasks 2/2 new, 3 old; waits',
  );
  const back = { ...shift, status: 'ROLLBACK_IN_PROGRESS' as const, rollback: { reason: 'the hook failed' } };
  expect(lineOf(back)).toMatch(/^ROLLBACK_IN_PROGRESS .*; the hook failed$/);
  expect(lineOf({ status: 'SUCCESSFUL', targetServiceRevision: counts })).toBe('SUCCESSFUL; tasks 2/2 new');
});

test('who watches is shown one line a change, whatever others wrote there, over an outage, and told when there is nothing any more', async () => {
  const serviceDeploymentArn = 'arn:aws:ecs:us-east-1:000000000000:service-deployment/default/web/one';
  const looks = [
    () => [{ serviceDeploymentArn, status: 'IN_PROGRESS', statusReason: 'a\u001B[2Jb\nc' }],
    () => {
      throw Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
    },
    () => [],
  ];
  const answers: Readonly<Record<string, () => object>> = {
    DescribeServicesCommand: () => ({ services: [{ serviceName: 'web' }] }),
    ListServiceDeploymentsCommand: () => ({ serviceDeployments: [{ serviceDeploymentArn }] }),
    DescribeServiceDeploymentsCommand: () => ({ serviceDeployments: looks.shift()?.() }),
  };
  const send = async ({ constructor: { name } }: { constructor: { name: string } }) => answers[name]?.();
  const printed: string[] = [];
  const noted: string[] = [];
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => printed.push(String(text)) > 0);
  const err = vi.spyOn(process.stderr, 'write').mockImplementation((text) => noted.push(String(text)) > 0);
  try {
    await expect(watchOne({ send } as never, 'default/web', serviceDeploymentArn, 'text')).rejects.toMatchObject({
      message: 'one is not there any more',
      exitCode: 3,
    });
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
  expect(printed).toEqual([expect.stringMatching(/^\S+Z {2}IN_PROGRESS; tasks 0\/0 new; ab c\n$/)]);
  expect(noted).toEqual([expect.stringMatching(/^slipway: no server answers.* \(ECONNREFUSED\); trying again\n$/)]);
});
