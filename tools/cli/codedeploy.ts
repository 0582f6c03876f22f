import { callJson } from './json-api.ts';

/** A deployment of CodeDeploy as GetDeployment has it, as far as commands look at it. Times in ISO 8601. */
export interface CodeDeployment {
  readonly deploymentId: string;
  readonly applicationName: string;
  readonly deploymentGroupName: string;
  readonly deploymentConfigName?: string;
  readonly status: string;
  readonly createTime: string;
  readonly completeTime?: string;
  readonly creator?: string;
  /** The AppSpec that was deployed, under one of two names. */
  readonly revision?: {
    readonly appSpecContent?: { readonly content?: string };
    readonly string?: { readonly content?: string };
  };
  readonly errorInformation?: { readonly code?: string; readonly message?: string };
  readonly rollbackInfo?: { readonly rollbackDeploymentId?: string; readonly rollbackMessage?: string };
  readonly instanceTerminationWaitTimeStarted?: boolean;
}

/** The old or the new tasks of a deployment. */
interface CodeDeploySet {
  /** `ecs-svc/<number>`; the API spells it so. */
  readonly identifer: string;
  readonly taskSetLabel: 'Blue' | 'Green';
  readonly desiredCount: number;
  readonly pendingCount: number;
  readonly runningCount: number;
  readonly trafficWeight: number;
  readonly targetGroup?: { readonly name?: string };
}

/** What a deployment is to change: a service, with its task sets and what has been done so far. */
export interface CodeDeployTarget {
  readonly lifecycleEvents: readonly {
    readonly lifecycleEventName: string;
    readonly status: string;
    readonly startTime?: string;
    readonly endTime?: string;
    readonly diagnostics?: { readonly message?: string };
  }[];
  readonly taskSetsInfo: readonly CodeDeploySet[];
}

/** Where deployments of a service are listed. */
export interface CodeDeployGroup {
  readonly applicationName: string;
  readonly deploymentGroupName: string;
}

/** Descriptions that one call gives, of groups and of deployments (CodeDeploy API reference). */
const groupsAtOnce = 100;
const deploymentsAtOnce = 25;

/** One deployment. @throws ApiError DeploymentDoesNotExistException */
export async function getDeployment(deploymentId: string): Promise<CodeDeployment> {
  return (await call<{ deploymentInfo: CodeDeployment }>('GetDeployment', { deploymentId })).deploymentInfo;
}

/** The targets of a deployment; of ECS's there is one, `<cluster>:<service>`. */
export async function targetsOf(deploymentId: string): Promise<readonly string[]> {
  return (await call<{ targetIds?: string[] }>('ListDeploymentTargets', { deploymentId })).targetIds ?? [];
}

export async function getTarget(deploymentId: string, targetId: string): Promise<CodeDeployTarget> {
  const { deploymentTarget } = await call<{ deploymentTarget: { ecsTarget: CodeDeployTarget } }>(
    'GetDeploymentTarget',
    { deploymentId, targetId },
  );
  return deploymentTarget.ecsTarget;
}

/** The deployment group that a service is deployed by; undefined for none. */
export async function groupOf(cluster: string, service: string): Promise<CodeDeployGroup | undefined> {
  for await (const applications of pages('ListApplications', 'applications', {}))
    for (const applicationName of applications)
      for await (const groups of pages('ListDeploymentGroups', 'deploymentGroups', { applicationName }))
        for (let from = 0; from < groups.length; from += groupsAtOnce) {
          const deploymentGroupNames = groups.slice(from, from + groupsAtOnce);
          const { deploymentGroupsInfo = [] } = await call<{ deploymentGroupsInfo?: GroupInfo[] }>(
            'BatchGetDeploymentGroups',
            { applicationName, deploymentGroupNames },
          );
          const found = deploymentGroupsInfo.find(({ ecsServices = [] }) =>
            ecsServices.some((one) => one.clusterName === cluster && one.serviceName === service),
          );
          if (found !== undefined) return { applicationName, deploymentGroupName: found.deploymentGroupName };
        }
  return undefined;
}

interface GroupInfo {
  readonly deploymentGroupName: string;
  readonly ecsServices?: readonly { readonly clusterName?: string; readonly serviceName?: string }[];
}

/** The deployments of a group and their rollbacks, newest first, as many at once as one call describes. */
export async function* deploymentsOf(group: CodeDeployGroup): AsyncGenerator<CodeDeployment, void> {
  for await (const deployments of pages('ListDeployments', 'deployments', group))
    for (let from = 0; from < deployments.length; from += deploymentsAtOnce) {
      const deploymentIds = deployments.slice(from, from + deploymentsAtOnce);
      const { deploymentsInfo = [] } = await call<{ deploymentsInfo?: CodeDeployment[] }>('BatchGetDeployments', {
        deploymentIds,
      });
      const found = new Map(deploymentsInfo.map((one) => [one.deploymentId, one]));
      // The description need not be in the order of the list.
      for (const id of deploymentIds) {
        const one = found.get(id);
        if (one !== undefined) yield one;
      }
    }
}

/** @param list the member of the answers that has the names */
async function* pages(action: string, list: string, input: object): AsyncGenerator<readonly string[], void> {
  let nextToken: unknown;
  do {
    const page: Readonly<Record<string, unknown>> = await call(action, {
      ...input,
      ...(nextToken === undefined ? {} : { nextToken }),
    });
    yield (page[list] ?? []) as readonly string[];
    ({ nextToken } = page);
  } while (nextToken !== undefined);
}

/** Calls CodeDeploy. Its times are seconds on the wire. */
export async function call<T>(action: string, input: object): Promise<T> {
  return dated(await callJson<unknown>('codedeploy', action, input)) as T;
}

function dated(value: unknown, name = ''): unknown {
  if (typeof value === 'number' && /(Time|At)$/.test(name)) return new Date(value * 1000).toISOString();
  if (Array.isArray(value)) return value.map((one) => dated(one));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, dated(one, key)]));
}
