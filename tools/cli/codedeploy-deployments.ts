import { DescribeServicesCommand, type ECSClient, type ServiceDeployment } from '@aws-sdk/client-ecs';
import {
  call,
  type CodeDeployment,
  type CodeDeployTarget,
  deploymentsOf,
  getDeployment,
  getTarget,
  groupOf,
  targetsOf,
} from './codedeploy.ts';
import type { Kind, Shown } from './deployment-kinds.ts';
import { isCodeDeployId } from './deployment-names.ts';
import { CliError } from './errors.ts';
import { table } from './output.ts';
import {
  hooksTables,
  idOf,
  listHeader,
  remembered,
  rowOf,
  serviceDeployments,
  shiftOf,
} from './service-deployments.ts';

/** A deployment with everything that tells how it goes. */
interface CodeDeployView {
  readonly deployment: CodeDeployment;
  /** Its way back, which has an id of its own. */
  readonly rollback?: CodeDeployment;
  readonly target: CodeDeployTarget;
  /** The deployment of ECS that carries it out, while it does. */
  readonly carrier?: ServiceDeployment;
}

const isOver = ({ status }: CodeDeployment): boolean => ['Succeeded', 'Failed', 'Stopped'].includes(status);
const isRollback = ({ creator }: CodeDeployment): boolean => creator === 'codeDeployRollback';

/** The deployments of a service that CodeDeploy makes, all but the first one: that is ECS's own. */
export function codeDeployments(client: ECSClient, cluster: string, service: string): Kind {
  const own = serviceDeployments(client, cluster, service);
  const name = `${cluster}/${service}`;
  const describe = async () =>
    (await client.send(new DescribeServicesCommand({ cluster, services: [service] }))).services?.[0];

  const all = async function* (): AsyncGenerator<CodeDeployment, void> {
    const group = await groupOf(cluster, service);
    if (group !== undefined) yield* deploymentsOf(group);
  };
  /** The id of CodeDeploy's for what is named; undefined where that is one of ECS's own, or none. */
  const idFor = async (id: string | undefined): Promise<string | undefined> => {
    if (id === undefined) {
      for await (const one of all()) if (!isRollback(one)) return one.deploymentId;
      return undefined;
    }
    if (isCodeDeployId(id)) {
      if ((await targetsOf(id)).includes(`${cluster}:${service}`)) return id;
      throw new CliError(`the deployment ${id} is of another service: slipway deployments list ${name} shows its own`);
    }
    return (await describe())?.taskSets?.find((set) => idOf(set.id) === idOf(id))?.externalId;
  };
  const look = async (id: string): Promise<CodeDeployView> => {
    const deployment = await getDeployment(id);
    const back = deployment.rollbackInfo?.rollbackDeploymentId;
    const rollback = back === undefined ? undefined : await getDeployment(back);
    const target = await getTarget(id, `${cluster}:${service}`);
    const current = isOver(rollback ?? deployment)
      ? undefined
      : await shiftOf(client, (await describe())?.currentServiceDeployment);
    const isCarrier =
      current !== undefined && idOf(current.targetServiceRevision?.arn) === idOf(green(target)?.identifer);
    return {
      deployment,
      ...(rollback === undefined ? {} : { rollback }),
      target,
      ...(isCarrier ? { carrier: current } : {}),
    };
  };

  return {
    async list() {
      const found: CodeDeployment[] = [];
      for await (const one of all()) found.push(one);
      const first = found.reduce((least, { createTime }) => Math.min(least, Date.parse(createTime)), Infinity);
      const before = [];
      for await (const one of remembered(client, cluster, service))
        if ((one.createdAt?.getTime() ?? 0) < first) before.push(one);
      return {
        json: [...found, ...before],
        header: listHeader,
        rows: [
          ...found.map((one) => [
            one.deploymentId,
            one.status,
            one.createTime,
            one.completeTime ?? '',
            (isRollback(one) ? one.rollbackInfo?.rollbackMessage : one.errorInformation?.message) ?? '',
          ]),
          ...before.map(rowOf),
        ],
      };
    },
    async find(id) {
      const known = await idFor(id);
      return known === undefined ? own.find(id) : shown(await look(known));
    },
    async goOn(id, { hook, endOld }) {
      const deploymentId = await idFor(id);
      if (deploymentId === undefined) return own.goOn(id, hook === undefined ? {} : { hook });
      const view = await look(deploymentId);
      const { deployment, carrier } = view;
      if (endOld === true || (deployment.status === 'Ready' && hook === undefined)) {
        const deploymentWaitType = endOld === true ? 'TERMINATION_WAIT' : 'READY_WAIT';
        await call('ContinueDeployment', { deploymentId, deploymentWaitType });
        return {
          json: { deploymentId, deploymentWaitType },
          words: endOld === true ? 'ends its old tasks now' : 'goes on',
        };
      }
      if (carrier !== undefined && deployment.instanceTerminationWaitTimeStarted !== true)
        return own.goOn(carrier.serviceDeploymentArn, hook === undefined ? {} : { hook });
      throw new CliError(
        `${name} does not wait for a person: ${codeDeployLine(view)}${deployment.instanceTerminationWaitTimeStarted === true ? ' (--end-old does not wait any longer)' : ''}`,
      );
    },
    async goBack(id, how) {
      const deploymentId = await idFor(id);
      if (deploymentId === undefined) return own.goBack(id, how);
      // To stop, at CodeDeploy, is to go back only where the deployment or its group says so.
      const input = { deploymentId, ...(how === 'ROLLBACK' ? { autoRollbackEnabled: true } : {}) };
      const answer = await call<{ status?: string; statusMessage?: string }>('StopDeployment', input);
      return {
        json: { ...input, ...answer },
        words: `is told to stop: ${answer.statusMessage ?? answer.status ?? ''}`,
      };
    },
  };
}

function shown(view: CodeDeployView): Shown {
  const { deployment, rollback, target } = view;
  const reason = deployment.errorInformation?.message ?? '';
  const back = rollback === undefined ? '' : `; its way back, ${rollback.deploymentId}, is ${rollback.status}`;
  const end =
    isOver(deployment) && (rollback === undefined || isOver(rollback))
      ? { end: { isWell: deployment.status === 'Succeeded', words: `${deployment.status}: ${reason}${back}` } }
      : {};
  return {
    id: deployment.deploymentId,
    ref: deployment.deploymentId,
    json: { ...deployment, ...(target.lifecycleEvents.length === 0 ? {} : { ecsTarget: target }) },
    line: codeDeployLine(view),
    ...end,
    details: () => Promise.resolve(tablesOf(view)),
  };
}

const green = ({ taskSetsInfo }: CodeDeployTarget) => taskSetsInfo.find(({ taskSetLabel }) => taskSetLabel === 'Green');

/** Where a deployment of CodeDeploy is, how traffic and tasks are shared out, and what it waits for: one line. */
function codeDeployLine({ deployment, rollback, target, carrier }: CodeDeployView): string {
  const { status, errorInformation } = deployment;
  const event = target.lifecycleEvents.find((one) => one.status === 'InProgress')?.lifecycleEventName;
  const fresh = green(target);
  const old = target.taskSetsInfo
    .filter(({ taskSetLabel }) => taskSetLabel === 'Blue')
    .reduce((sum, { runningCount }) => sum + runningCount, 0);
  return [
    isOver(deployment) || event === undefined ? status : `${status} ${event}`,
    ...(fresh === undefined
      ? []
      : [
          `production ${fresh.trafficWeight} % new`,
          `tasks ${fresh.runningCount}/${fresh.desiredCount} new, ${old} old`,
        ]),
    ...(rollback === undefined ? [] : [`goes back by ${rollback.deploymentId}: ${rollback.status}`]),
    errorInformation?.message ?? carrier?.statusReason ?? '',
  ]
    .filter((part) => part !== '')
    .join('; ');
}

function tablesOf({ target, carrier }: CodeDeployView): readonly string[] {
  return [
    table(
      ['', 'TASK SET', 'TASKS', 'PENDING', 'PRODUCTION', 'TARGET GROUP'],
      target.taskSetsInfo.map((set) => [
        set.taskSetLabel === 'Green' ? 'new' : 'old',
        set.identifer,
        `${set.runningCount}/${set.desiredCount}`,
        String(set.pendingCount),
        `${set.trafficWeight} %`,
        set.targetGroup?.name ?? '',
      ]),
    ),
    table(
      ['EVENT', 'STATUS', 'STARTED', 'ENDED', 'REASON'],
      target.lifecycleEvents.map((one) => [
        one.lifecycleEventName,
        one.status,
        one.startTime ?? '',
        one.endTime ?? '',
        one.diagnostics?.message ?? '',
      ]),
    ),
    ...(carrier === undefined ? [] : hooksTables(carrier)),
  ];
}
