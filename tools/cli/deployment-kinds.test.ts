import { ECSClient } from '@aws-sdk/client-ecs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { deploymentsOf } from './deployment-kinds.ts';
import { meant } from './deployment-names.ts';
import { verdict } from './verdict.ts';

/** Deployments of services with each controller, as the APIs describe them. */
type Answers = Readonly<Record<string, (input: never) => unknown>>;

const ecs = (answers: Answers): ECSClient =>
  Object.assign(new ECSClient({ region: 'us-east-1' }), {
    send: ({ constructor: { name }, input }: { constructor: { name: string }; input: never }) =>
      Promise.resolve(answers[name.replace(/Command$/, '')]?.(input) ?? {}),
  });

let codeDeploy: Answers = {};
const asked: { readonly action: string; readonly input: Readonly<Record<string, unknown>> }[] = [];

beforeEach(() => {
  asked.length = 0;
  vi.stubEnv('AWS_ENDPOINT_URL', 'http://127.0.0.1:1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIATEST');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  vi.stubGlobal('fetch', (_: string, { headers, body }: { headers: Record<string, string>; body: string }) => {
    const action = headers['X-Amz-Target']?.replace('CodeDeploy_20141006.', '') ?? '';
    const input = JSON.parse(body) as Readonly<Record<string, unknown>>;
    asked.push({ action, input });
    const answer = codeDeploy[action]?.(input as never);
    return Promise.resolve(
      answer === undefined
        ? Response.json({ __type: 'DeploymentDoesNotExistException', message: 'no such deployment' }, { status: 400 })
        : Response.json(answer),
    );
  });
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});

const prefix = 'arn:aws:ecs:us-east-1:000000000000:';
const revision = (number: string) => `${prefix}service-revision/default/web/${number}`;
const counts = { requestedTaskCount: 2, runningTaskCount: 2, pendingTaskCount: 0 };

test('a deployment is named beside its service, or alone by what says its service, too', async () => {
  codeDeploy = { ListDeploymentTargets: () => ({ targetIds: ['prod:web'] }) };
  expect(await meant('prod/web')).toEqual({ cluster: 'prod', service: 'web' });
  expect(await meant('web', 'ecs-svc/12')).toEqual({ cluster: 'default', service: 'web', id: 'ecs-svc/12' });
  expect(await meant('d-ABCDEF123')).toEqual({ cluster: 'prod', service: 'web', id: 'd-ABCDEF123' });
  expect(asked).toEqual([{ action: 'ListDeploymentTargets', input: { deploymentId: 'd-ABCDEF123' } }]);
  // A service of such a name is there, too.
  expect(await meant('default/d-ABCDEF123')).toEqual({ cluster: 'default', service: 'd-ABCDEF123' });
  expect(await meant(`${prefix}service/default/web`)).toEqual({ cluster: 'default', service: 'web' });
  for (const [kind, id] of [
    ['service-deployment', 'AbCdEf'],
    ['service-revision', '123'],
    ['task-set', 'ecs-svc/123'],
  ] as const) {
    const arn = `${prefix}${kind}/prod/web/${id}`;
    expect(await meant(arn)).toEqual({ cluster: 'prod', service: 'web', id });
    expect(await meant('prod/web', arn)).toEqual({ cluster: 'prod', service: 'web', id });
    await expect(meant('default/web', arn)).rejects.toMatchObject({
      exitCode: 2,
      message: `${arn} is of prod/web, not of default/web`,
    });
  }
  await expect(meant('d-ABCDEF123', 'd-ABCDEF124')).rejects.toMatchObject({ exitCode: 2 });
  await expect(meant(`${prefix}task/default/1`)).rejects.toMatchObject({ exitCode: 2 });
  await expect(meant('a/b/c')).rejects.toMatchObject({ exitCode: 2 });
});

test('a deployment of ECS is found by its ARN, the last part of it, and the id that events have', async () => {
  const arn = (id: string) => `${prefix}service-deployment/default/web/${id}`;
  const client = ecs({
    DescribeServices: () => ({ services: [{ deploymentController: { type: 'ECS' } }] }),
    ListServiceDeployments: () => ({
      serviceDeployments: [
        { serviceDeploymentArn: arn('newer'), targetServiceRevisionArn: revision('22'), status: 'IN_PROGRESS' },
        { serviceDeploymentArn: arn('older'), targetServiceRevisionArn: revision('11'), status: 'STOPPED' },
      ],
    }),
    DescribeServiceDeployments: ({ serviceDeploymentArns: [one] }: { serviceDeploymentArns: string[] }) => ({
      serviceDeployments: [
        {
          serviceDeploymentArn: one,
          status: one === arn('newer') ? 'IN_PROGRESS' : 'STOPPED',
          statusReason: 'why',
          targetServiceRevision: counts,
        },
      ],
    }),
  });
  for (const id of ['older', arn('older'), 'ecs-svc/11', '11', revision('11')]) {
    const { kind, id: which } = await deploymentsOf(client, 'default/web', id);
    expect(await kind.find(which), id).toMatchObject({ id: 'older', end: { isWell: false, words: 'STOPPED: why' } });
  }
  const { kind, name } = await deploymentsOf(client, 'web');
  expect([name, (await kind.find(undefined))?.id, await kind.find('ecs-svc/33')]).toEqual([
    'default/web',
    'newer',
    undefined,
  ]);
  expect((await kind.list()).rows.map(([id, status]) => [id, status])).toEqual([
    ['newer', 'IN_PROGRESS'],
    ['older', 'STOPPED'],
  ]);
  await expect(kind.goOn(undefined, { endOld: true })).rejects.toMatchObject({ exitCode: 2 });
  await expect(kind.goOn(undefined, {})).rejects.toThrow('default/web does not wait for a person: IN_PROGRESS');
  expect(await kind.goBack('older', 'ABORT')).toMatchObject({
    json: { serviceDeploymentArn: arn('older'), stopType: 'ABORT' },
  });
});

/** A service that CodeDeploy deploys: its own first deployment, one that succeeded, and one that is under way. */
function codeDeployed(newest: object, events: readonly object[] = []): ECSClient {
  const at = (second: number): number => 1_800_000_000 + second;
  const info = (deploymentId: string, more: object) => ({
    deploymentId,
    applicationName: 'app',
    deploymentGroupName: 'web',
    createTime: at(0),
    creator: 'user',
    ...more,
  });
  const infos = [
    info('d-BACK00000', { status: 'Succeeded', createTime: at(30), creator: 'codeDeployRollback' }),
    info('d-NEW000000', { createTime: at(20), ...newest }),
    info('d-OLD000000', { status: 'Succeeded', createTime: at(10), completeTime: at(15) }),
  ];
  const isBack = 'rollbackInfo' in newest;
  codeDeploy = {
    ListApplications: ({ nextToken }: { nextToken?: string }) =>
      nextToken === undefined ? { applications: ['other'], nextToken: 'x' } : { applications: ['app'] },
    ListDeploymentGroups: () => ({ deploymentGroups: ['api', 'web'] }),
    BatchGetDeploymentGroups: ({ applicationName }: { applicationName: string }) => ({
      deploymentGroupsInfo: ['api', 'web'].map((serviceName) => ({
        deploymentGroupName: serviceName,
        ecsServices: [{ clusterName: applicationName === 'app' ? 'default' : 'prod', serviceName }],
      })),
    }),
    ListDeployments: () => ({
      deployments: infos.map(({ deploymentId }) => deploymentId).filter((id) => isBack || id !== 'd-BACK00000'),
    }),
    BatchGetDeployments: ({ deploymentIds }: { deploymentIds: string[] }) => ({
      // In another order than they were asked for.
      deploymentsInfo: infos.filter(({ deploymentId }) => deploymentIds.includes(deploymentId)).toReversed(),
    }),
    GetDeployment: ({ deploymentId }: { deploymentId: string }) => {
      const deploymentInfo = infos.find((one) => one.deploymentId === deploymentId);
      return deploymentInfo === undefined ? undefined : { deploymentInfo };
    },
    ListDeploymentTargets: ({ deploymentId }: { deploymentId: string }) => ({
      targetIds: [deploymentId === 'd-ELSE00000' ? 'default:api' : 'default:web'],
    }),
    GetDeploymentTarget: () => ({
      deploymentTarget: {
        ecsTarget: {
          lifecycleEvents: events,
          taskSetsInfo: [
            {
              identifer: 'ecs-svc/1',
              taskSetLabel: 'Blue',
              desiredCount: 2,
              pendingCount: 0,
              runningCount: 2,
              trafficWeight: 90,
            },
            {
              identifer: 'ecs-svc/2',
              taskSetLabel: 'Green',
              desiredCount: 2,
              pendingCount: 1,
              runningCount: 1,
              trafficWeight: 10,
              targetGroup: { name: 'green' },
            },
          ],
        },
      },
    }),
    ContinueDeployment: () => ({}),
    StopDeployment: () => ({ status: 'Pending', statusMessage: 'it is being stopped' }),
  };
  const own = `${prefix}service-deployment/default/web/first`;
  return ecs({
    DescribeServices: () => ({
      services: [
        {
          deploymentController: { type: 'CODE_DEPLOY' },
          currentServiceDeployment: `${prefix}service-deployment/default/web/second`,
          taskSets: [{ id: 'ecs-svc/2', externalId: 'd-NEW000000' }],
        },
      ],
    }),
    ListServiceDeployments: () => ({
      serviceDeployments: [
        { serviceDeploymentArn: own.replace('first', 'second'), createdAt: new Date(at(21) * 1000) },
        { serviceDeploymentArn: own, createdAt: new Date(at(1) * 1000 - 5000), status: 'SUCCESSFUL' },
      ],
    }),
    DescribeServiceDeployments: ({ serviceDeploymentArns: [arn] }: { serviceDeploymentArns: string[] }) => ({
      serviceDeployments: [
        {
          serviceDeploymentArn: arn,
          status: 'IN_PROGRESS',
          lifecycleStage: 'PRODUCTION_TRAFFIC_SHIFT',
          statusReason: 'waits for engines',
          targetServiceRevision: { arn: revision('2') },
          lifecycleHookDetails: [{ hookId: 'hook-1', status: 'AWAITING_ACTION' }],
        },
      ],
    }),
  });
}

test('deployments of CodeDeploy are listed, with the first one, which is of ECS', async () => {
  const { kind } = await deploymentsOf(codeDeployed({ status: 'InProgress' }), 'default/web');
  const { json, rows } = await kind.list();
  expect(rows.map(([id, status]) => [id, status])).toEqual([
    ['d-NEW000000', 'InProgress'],
    ['d-OLD000000', 'Succeeded'],
    ['first', 'SUCCESSFUL'],
  ]);
  // Its times are seconds on the wire.
  expect(json[1]).toMatchObject({ createTime: '2027-01-15T08:00:10.000Z', completeTime: '2027-01-15T08:00:15.000Z' });
});

test('a deployment of CodeDeploy is told as it goes: traffic, tasks, what it waits for', async () => {
  const events = [
    { lifecycleEventName: 'Install', status: 'Succeeded', endTime: 1_800_000_022 },
    { lifecycleEventName: 'AllowTraffic', status: 'InProgress' },
  ];
  const client = codeDeployed({ status: 'InProgress' }, events);
  for (const id of [undefined, 'd-NEW000000', 'ecs-svc/2', `${prefix}task-set/default/web/ecs-svc/2`]) {
    const { kind, id: which } = await deploymentsOf(client, 'default/web', id);
    const shown = await kind.find(which);
    expect([shown?.id, shown?.line, shown?.end]).toEqual([
      'd-NEW000000',
      'InProgress AllowTraffic; production 10 % new; tasks 1/2 new, 2 old; waits for engines',
      undefined,
    ]);
    const tables = (await shown?.details())?.join('\n');
    expect(tables).toMatch(/new +ecs-svc\/2 +1\/2 +1 +10 % +green/);
    expect(tables).toMatch(/Install +Succeeded +2027-01-15T08:00:22\.000Z/);
    expect(tables).toMatch(/hook-1 +a person +AWAITING_ACTION/);
  }
  const { kind } = await deploymentsOf(client, 'd-OLD000000');
  expect((await kind.find('d-OLD000000'))?.end).toMatchObject({ isWell: true });
  await expect(kind.find('d-ELSE00000')).rejects.toThrow('is of another service');
  expect((await kind.find('first'))?.line).toMatch(/^IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT/);
});

test('one that goes back is over when its traffic is back, and has not succeeded', async () => {
  const given = {
    status: 'Stopped',
    errorInformation: { code: 'MANUAL_STOP', message: 'stopped by somebody' },
    rollbackInfo: { rollbackDeploymentId: 'd-BACK00000' },
  };
  const { kind } = await deploymentsOf(codeDeployed(given), 'default/web');
  // The newest is what somebody deployed, not the way back.
  expect(await kind.find(undefined)).toMatchObject({
    id: 'd-NEW000000',
    line: 'Stopped; production 10 % new; tasks 1/2 new, 2 old; goes back by d-BACK00000: Succeeded; stopped by somebody',
    end: { isWell: false, words: 'Stopped: stopped by somebody; its way back, d-BACK00000, is Succeeded' },
  });
  const { kind: failed } = await deploymentsOf(codeDeployed({ ...given, rollbackInfo: {} }), 'default/web');
  expect((await failed.find(undefined))?.end).toEqual({ isWell: false, words: 'Stopped: stopped by somebody' });
});

test('people let a deployment of CodeDeploy go on, end its old tasks, stop it and have it go back', async () => {
  const said = async (newest: object, what: 'goOn' | 'endOld' | 'ROLLBACK' | 'ABORT') => {
    const { kind } = await deploymentsOf(codeDeployed(newest), 'default/web');
    asked.length = 0;
    const decided = await (what === 'goOn' || what === 'endOld'
      ? kind.goOn(undefined, what === 'endOld' ? { endOld: true } : {})
      : kind.goBack(undefined, what));
    const { action, input } = asked.at(-1) ?? {};
    return { ...decided, action, input };
  };
  const deploymentId = 'd-NEW000000';
  expect(await said({ status: 'Ready' }, 'goOn')).toMatchObject({
    action: 'ContinueDeployment',
    input: { deploymentId, deploymentWaitType: 'READY_WAIT' },
    words: 'goes on',
  });
  const baking = { status: 'InProgress', instanceTerminationWaitTimeStarted: true };
  expect(await said(baking, 'endOld')).toMatchObject({
    input: { deploymentId, deploymentWaitType: 'TERMINATION_WAIT' },
  });
  await expect(said(baking, 'goOn')).rejects.toThrow(/does not wait for a person.*--end-old/);
  // A hook of its AppSpec waits for somebody: that is ECS's to continue.
  expect(await said({ status: 'InProgress' }, 'goOn')).toMatchObject({
    json: { hookId: 'hook-1', action: 'CONTINUE' },
  });
  expect((await said({ status: 'InProgress' }, 'ROLLBACK')).input).toEqual({ deploymentId, autoRollbackEnabled: true });
  expect(await said({ status: 'InProgress' }, 'ABORT')).toMatchObject({
    action: 'StopDeployment',
    input: { deploymentId },
    words: 'is told to stop: it is being stopped',
  });
});

test('task sets stand for the deployments of a service with a controller of its own', async () => {
  const set = (id: string, more: object) => ({
    id: `ecs-svc/${id}`,
    taskSetArn: `${prefix}task-set/default/web/ecs-svc/${id}`,
    scale: { value: 50 },
    computedDesiredCount: 2,
    runningCount: 1,
    pendingCount: 1,
    ...more,
  });
  const client = ecs({
    DescribeServices: () => ({
      services: [{ deploymentController: { type: 'EXTERNAL' }, events: [{ message: 'no host has room' }] }],
    }),
    DescribeTaskSets: () => ({
      taskSets: [
        set('1', { status: 'PRIMARY', stabilityStatus: 'STEADY_STATE', createdAt: new Date(1), externalId: 'blue' }),
        set('3', { status: 'DRAINING', stabilityStatus: 'STABILIZING', createdAt: new Date(2) }),
        set('2', { status: 'ACTIVE', stabilityStatus: 'STABILIZING', createdAt: new Date(3) }),
      ],
    }),
  });
  const { kind } = await deploymentsOf(client, 'default/web');
  expect((await kind.list()).rows.map(([id]) => id)).toEqual(['ecs-svc/2', 'ecs-svc/3', 'ecs-svc/1']);
  expect(await kind.find(undefined)).toMatchObject({
    id: 'ecs-svc/2',
    line: 'ACTIVE STABILIZING; scale 50 %; tasks 1/2, 1 pending; no host has room',
  });
  for (const id of ['ecs-svc/1', '1', 'blue', `${prefix}task-set/default/web/ecs-svc/1`]) {
    const { kind: own, id: which } = await deploymentsOf(client, 'default/web', id);
    expect((await own.find(which))?.end, id).toEqual({ isWell: true, words: 'STEADY_STATE' });
  }
  expect((await kind.find('3'))?.end).toMatchObject({ isWell: false });
  expect(await kind.find('4')).toBeUndefined();
  await expect(kind.goOn(undefined, {})).rejects.toThrow('aws ecs update-task-set');
  await expect(kind.goBack(undefined, 'ROLLBACK')).rejects.toThrow(
    /own controller \(EXTERNAL\).*aws ecs delete-task-set/,
  );
});

test('a service that CodeDeploy deploys is told by its task sets', () => {
  const set = (taskDefinition: string, more: object) => ({
    taskDefinition: `${prefix}task-definition/${taskDefinition}`,
    computedDesiredCount: 2,
    runningCount: 2,
    createdAt: new Date(1),
    ...more,
  });
  const service = {
    status: 'ACTIVE',
    desiredCount: 2,
    runningCount: 2,
    deploymentController: { type: 'CODE_DEPLOY' as const },
    events: [{ message: 'word' }],
  };
  const old = set('web:1', { status: 'PRIMARY' });
  expect(verdict({ ...service, taskSets: [old] })).toBe('steady, 2 tasks on web:1');
  expect(verdict({ ...service, runningCount: 1, taskSets: [{ ...old, runningCount: 1 }] })).toBe(
    '1 of 2 tasks on web:1: word',
  );
  const fresh = set('web:2', { status: 'ACTIVE', runningCount: 1, createdAt: new Date(2), externalId: 'd-NEW000000' });
  expect(verdict({ ...service, taskSets: [fresh, old] })).toBe(
    'web:2 (d-NEW000000) beside web:1, which has the traffic, 1 of 2 running: word',
  );
  expect(
    verdict({
      ...service,
      taskSets: [
        { ...fresh, status: 'PRIMARY' },
        { ...old, status: 'DRAINING' },
      ],
    }),
  ).toBe('web:2 (d-NEW000000) has the traffic, web:1 is still there: word');
  expect(verdict({ ...service, taskSets: [] })).toBe('the service has no deployment');
});
