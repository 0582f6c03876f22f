import type { ECSTaskSet } from '@aws-sdk/client-codedeploy';
import type { AccessRequest, Call } from '@slipway/auth/contract';

import { countTasks } from '../services/index.ts';
import { idOf } from '../state/index.ts';

import { mostOfBatch } from './applications.ts';
import { deployment, findRecord } from './deployments.ts';
import { targetId, targetView, type Viewed } from './deployment-view.ts';
import { refuse } from './errors.ts';
import { arns } from './names.ts';
import { access, type CodeDeployApi, type CodeDeployOperations, placeOf } from './options.ts';
import { historicOf, serviceOf } from './progressing.ts';

/** The target of each deployment: its service, with the task sets and the lifecycle events. */
export function targetOperations(api: CodeDeployApi): CodeDeployOperations {
  const allow = async (action: string, id: string | undefined, call: Call): Promise<[AccessRequest]> => {
    const found = await findRecord(api, call.account, id ?? '');
    const { application: of = '*', name = '*' } = found?.group ?? {};
    return [access(action, arns.group(placeOf(api, call), of, name))];
  };
  const view = async (viewed: Viewed, call: Call) =>
    targetView(viewed, placeOf(api, call), await taskSets(api, call.account, viewed));

  return {
    ListDeploymentTargets: {
      access: ({ deploymentId }, call) => allow('ListDeploymentTargets', deploymentId, call),
      handle: async ({ deploymentId, targetFilters }, { account }) => {
        if (targetFilters !== undefined && Object.keys(targetFilters).some((name) => name !== 'TargetStatus'))
          throw refuse('InvalidTargetFilterName', 'Targets of ECS are filtered by TargetStatus alone.');
        const viewed = await deployment(api, account, deploymentId);
        const asked = targetFilters?.TargetStatus;
        const target = targetView(viewed, { region: api.region, account }, []).ecsTarget;
        return {
          targetIds: asked === undefined || asked.includes(target?.status ?? '') ? [targetId(viewed.record)] : [],
        };
      },
    },
    GetDeploymentTarget: {
      access: ({ deploymentId }, call) => allow('GetDeploymentTarget', deploymentId, call),
      handle: async ({ deploymentId, targetId: asked }, call) => {
        const viewed = await deployment(api, call.account, deploymentId);
        if (asked === undefined || asked === '')
          throw refuse('DeploymentTargetIdRequired', 'A deployment target ID is required.');
        if (asked !== targetId(viewed.record)) throw noTarget(asked);
        return { deploymentTarget: await view(viewed, call) };
      },
    },
    BatchGetDeploymentTargets: {
      access: ({ deploymentId }, call) => allow('BatchGetDeploymentTargets', deploymentId, call),
      handle: async ({ deploymentId, targetIds = [] }, call) => {
        const viewed = await deployment(api, call.account, deploymentId);
        if (targetIds.length > mostOfBatch)
          throw refuse('DeploymentTargetListSizeExceeded', `At most ${mostOfBatch} targets can be asked for at once.`);
        for (const asked of targetIds) if (asked !== targetId(viewed.record)) throw noTarget(asked);
        return { deploymentTargets: targetIds.length === 0 ? [] : [await view(viewed, call)] };
      },
    },
  };
}

const noTarget = (id: string): Error =>
  refuse(
    'DeploymentTargetDoesNotExist',
    `The deployment has no target '${id.slice(0, 200)}': ListDeploymentTargets names it.`,
  );

/** The old and the new tasks, as far as the service still knows them. */
async function taskSets(api: CodeDeployApi, account: string, { record, progress }: Viewed): Promise<ECSTaskSet[]> {
  const { historic } = await historicOf(api, account, record);
  const { service, row } = historic ?? {};
  if (service === undefined || row === undefined) return [];
  const ref = serviceOf(account, record);
  const counts = await countTasks(api, ref);
  const { targetGroups } = record.group;
  const { loadBalancer } = record.start;
  const nameOf = (arn: string | undefined): string | undefined =>
    arn === undefined ? undefined : targetGroups[arn === loadBalancer.targetGroupArn ? 0 : 1];
  const { replaces = [] } = row.deployment;
  return service.deployments
    .filter(({ id }) => id === record.start.id || replaces.includes(id))
    .map((one): ECSTaskSet => {
      const isGreen = one.id === record.start.id;
      const { desired, pending, running } = counts(ref.service, one.id);
      const name = nameOf(one.loadBalancers?.[0]?.targetGroupArn);
      return {
        identifer: `ecs-svc/${idOf(one.id)}`,
        desiredCount: desired,
        pendingCount: pending,
        runningCount: running,
        status: one.status,
        trafficWeight: isGreen ? progress.weight : 100 - progress.weight,
        ...(name === undefined ? {} : { targetGroup: { name } }),
        taskSetLabel: isGreen ? 'Green' : 'Blue',
      };
    });
}
