import {
  CodeDeployClient,
  CreateApplicationCommand,
  type CreateDeploymentCommandInput,
  CreateDeploymentGroupCommand,
  type CreateDeploymentGroupCommandInput,
} from '@aws-sdk/client-codedeploy';
import { CreateServiceCommand, type CreateServiceCommandInput } from '@aws-sdk/client-ecs';
import type { Principal } from '@slipway/auth/contract';
import { transact } from '@slipway/storage/records';
import { createHash } from 'node:crypto';

import { scanAll } from '../../cluster/index.ts';

import { account, openApi, region, type TestApi, testCredentials } from '../../ecs/testing/open-api.ts';
import { clusterKeys, clusterPartition, type ShiftLiveRecord, type ShiftRecord, toJson } from '../../state/index.ts';
import { createCodeDeploy } from '../index.ts';

export const roleArn = `arn:aws:iam::${account}:role/codedeploy`;
const balancer = `arn:aws:elasticloadbalancing:${region}:${account}`;
export const groupArns = {
  blue: `${balancer}:targetgroup/blue/0000000000000001`,
  green: `${balancer}:targetgroup/green/0000000000000002`,
} as const;
export const listeners = {
  production: `${balancer}:listener/app/web/0000000000000003/0000000000000004`,
  test: `${balancer}:listener/app/web/0000000000000003/0000000000000005`,
} as const;

/** The APIs of ECS and CodeDeploy with a load balancer, its two target groups and its two listeners. */
export interface TestCodeDeploy extends AsyncDisposable {
  readonly api: TestApi;
  readonly codedeploy: CodeDeployClient;
  /** Names of the operations that are answered. */
  readonly served: readonly string[];
}

export async function openCodeDeploy(): Promise<TestCodeDeploy> {
  await using opened = new AsyncDisposableStack();
  const role: Principal = { type: 'assumed-role', account, arn: roleArn, id: 'AROACODEDEPLOY', accessKeyId: '' };
  const groups = new Map<string, string>();
  let served: readonly string[] = [];
  const api: TestApi = opened.use(
    await openApi({
      beside: (ports) => {
        const service = createCodeDeploy({
          ...ports,
          targetGroups: {
            find: (_account, arn) => Promise.resolve(api.groups.get(arn)),
            rule: (_account, arn) => Promise.resolve(api.rules.get(arn)),
            named: (_account, name) => Promise.resolve(groups.get(name)),
          },
          takeRole: () => Promise.resolve(role),
        });
        served = Object.keys(service.operations);
        return [service];
      },
    }),
  );
  for (const [name, arn] of Object.entries(groupArns)) {
    groups.set(name, arn);
    api.groups.set(arn, { targetType: 'instance', usedBy: 'web' });
  }
  for (const arn of Object.values(listeners))
    api.rules.set(arn, { kind: 'listener', balancer: { name: 'web', type: 'application' }, groups: [groupArns.blue] });
  const codedeploy = new CodeDeployClient({ endpoint: api.url, region, credentials: testCredentials, maxAttempts: 1 });
  opened.defer(() => codedeploy.destroy());
  const over = new AbortController();
  const acknowledging = acknowledge(api.ports, over.signal);
  opened.defer(async () => {
    over.abort();
    await acknowledging;
  });
  const closing = opened.move();
  return { api, codedeploy, served, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}

/** A service with the controller CODE_DEPLOY, of one container `main` that answers on port 80. */
export async function addService(
  { api }: TestCodeDeploy,
  serviceName: string,
  changes: Partial<CreateServiceCommandInput> = {},
): Promise<string> {
  const definition = await api.define({
    family: serviceName,
    containerDefinitions: [{ name: 'main', image: 'busybox', memory: 64, portMappings: [{ containerPort: 80 }] }],
  });
  await api.ecs.send(
    new CreateServiceCommand({
      serviceName,
      taskDefinition: definition.taskDefinitionArn,
      desiredCount: 0,
      deploymentController: { type: 'CODE_DEPLOY' },
      loadBalancers: [{ targetGroupArn: groupArns.blue, containerName: 'main', containerPort: 80 }],
      ...changes,
    }),
  );
  return definition.taskDefinitionArn ?? '';
}

/** What a deployment group of a service is made of. */
export const groupOf = (
  serviceName: string,
): Omit<CreateDeploymentGroupCommandInput, 'applicationName' | 'deploymentGroupName'> => ({
  serviceRoleArn: roleArn,
  deploymentStyle: { deploymentType: 'BLUE_GREEN', deploymentOption: 'WITH_TRAFFIC_CONTROL' },
  ecsServices: [{ clusterName: 'default', serviceName }],
  loadBalancerInfo: {
    targetGroupPairInfoList: [
      {
        targetGroups: [{ name: 'blue' }, { name: 'green' }],
        prodTrafficRoute: { listenerArns: [listeners.production] },
        testTrafficRoute: { listenerArns: [listeners.test] },
      },
    ],
  },
  blueGreenDeploymentConfiguration: {
    terminateBlueInstancesOnDeploymentSuccess: { action: 'TERMINATE', terminationWaitTimeInMinutes: 5 },
    deploymentReadyOption: { actionOnTimeout: 'CONTINUE_DEPLOYMENT' },
  },
});

/** The application and the group `AppECS-default-NAME` and `DgpECS-default-NAME`, as consoles name them. */
export async function addGroup(
  { codedeploy }: TestCodeDeploy,
  serviceName: string,
  changes: Partial<CreateDeploymentGroupCommandInput> = {},
): Promise<{ readonly applicationName: string; readonly deploymentGroupName: string }> {
  const named = {
    applicationName: `AppECS-default-${serviceName}`,
    deploymentGroupName: `DgpECS-default-${serviceName}`,
  };
  await codedeploy.send(
    new CreateApplicationCommand({ applicationName: named.applicationName, computePlatform: 'ECS' }),
  );
  await codedeploy.send(new CreateDeploymentGroupCommand({ ...named, ...groupOf(serviceName), ...changes }));
  return named;
}

/** Says of all weights that are wanted that every traffic engine goes by them. */
async function acknowledge({ records, clock }: TestApi['ports'], signal: AbortSignal): Promise<void> {
  const partition = clusterPartition(account, 'default');
  while (!signal.aborted) {
    for (const { service, sequence } of await scanAll<ShiftRecord>(records, partition, clusterKeys.shifts))
      await transact(records, partition, async (tx) => {
        const key = clusterKeys.shiftLive(service);
        if ((await tx.get<ShiftLiveRecord>(key))?.sequence === sequence) return;
        const live: ShiftLiveRecord = { service, epoch: 1, sequence, at: clock.now() };
        tx.put(key, toJson(live));
      });
    await clock.sleep(20, signal).catch(() => undefined);
  }
}

/** An AppSpec of a revision as JSON, as CreateDeployment takes it. @param changes members of the TargetService beside the usual ones */
export function revisionOf(
  taskDefinition: string,
  hooks: readonly Readonly<Record<string, string>>[] = [],
  changes: object = {},
): NonNullable<CreateDeploymentCommandInput['revision']> {
  const LoadBalancerInfo = { ContainerName: 'main', ContainerPort: 80 };
  const properties = { TaskDefinition: taskDefinition, LoadBalancerInfo, ...changes };
  const content = JSON.stringify({
    version: 0.0,
    Resources: [{ TargetService: { Type: 'AWS::ECS::Service', Properties: properties } }],
    Hooks: hooks,
  });
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { revisionType: 'AppSpecContent', appSpecContent: { content, sha256 } };
}
