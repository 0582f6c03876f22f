import { AwsError } from '@slipway/auth/contract';
import { transact } from '@slipway/storage/records';

import { type EcsPorts, invalidParameter, serviceNotFound } from '../cluster/index.ts';
import {
  clusterKeys,
  clusterPartition,
  type DeploymentRecord,
  type HookResultRecord,
  type ServiceRecord,
  type Shifting,
  type StopRecord,
  toJson,
} from '../state/index.ts';
import { primaryOf } from './deployment.ts';
import { changeService, type ServiceRef } from './services.ts';

/** A deployment by its service and `ecs-svc/…`. */
export interface DeploymentRef extends ServiceRef {
  readonly deploymentId: string;
}

const conflict = (message: string): AwsError => new AwsError('ConflictException', message);

/**
 * Has a deployment go back to the revision that served before it (ROLLBACK), or do so at once, without asking hooks and waiting for
 * engines that do not answer (ABORT), for which one that rolls never waits. The service's leader acts on it. Asking again changes nothing.
 * @param type STAY is for deployments of CodeDeploy alone
 * @param by who asks, for people
 * @throws ServiceNotFoundException, ServiceNotActiveException, ConflictException when the deployment is over or goes back already
 */
export async function stopDeployment(
  ports: Pick<EcsPorts, 'records' | 'clock'>,
  ref: DeploymentRef,
  type: NonNullable<Shifting['stop']>['type'],
  by: string,
): Promise<void> {
  await changeService(ports, ref, (service) => {
    const deployment = inProgress(service, ref.deploymentId);
    if (deployment === undefined)
      throw conflict('The service deployment is over: nothing is left to stop. UpdateService starts another one.');
    const { shifting } = deployment;
    const at = ports.clock.now();
    if (shifting === undefined) return type === 'STAY' ? service : withStop(service, deployment, { type, at, by });
    if (shifting.stage === 'CLEAN_UP')
      throw conflict(
        'The service deployment is past its bake time, and the old revision is ending: deploy that again with UpdateService.',
      );
    if (shifting.stop?.type === type || shifting.stop?.type === 'ABORT') return service;
    if (type === 'ROLLBACK' && shifting.rollback !== undefined)
      throw conflict(`The service deployment goes back already: ${shifting.rollback.reason}`);
    return replaced(service, { ...deployment, shifting: { ...shifting, stop: { type, at, by } } });
  });
}

/** The service with what a person says of its rolling deployment. What goes back already is not stopped once more. */
function withStop(service: ServiceRecord, deployment: DeploymentRecord, stop: StopRecord): ServiceRecord {
  if (deployment.cause.kind === 'rollback')
    throw conflict(
      'The service deployment is over, and the service goes back to it: UpdateService starts another one.',
    );
  const said = deployment.stop?.type;
  return said === stop.type || said === 'ABORT' ? service : replaced(service, { ...deployment, stop });
}

const replaced = (service: ServiceRecord, changed: DeploymentRecord): ServiceRecord => ({
  ...service,
  deployments: service.deployments.map((one) => (one.id === changed.id ? changed : one)),
  version: service.version + 1,
});

/**
 * Ends a pause: the deployment goes on, or goes back. Saying the same again changes nothing.
 * @param hookId the id of what the hook was asked, from DescribeServiceDeployments
 * @throws ServiceNotFoundException, InvalidParameterException when nothing waits under this id any more, or somebody decided otherwise
 */
export async function decidePause(
  ports: Pick<EcsPorts, 'records' | 'clock'>,
  ref: DeploymentRef,
  hookId: string,
  action: 'CONTINUE' | 'ROLLBACK',
  by: string,
): Promise<void> {
  const status = action === 'CONTINUE' ? 'SUCCEEDED' : 'FAILED';
  await transact(ports.records, clusterPartition(ref.account, ref.cluster), async (tx) => {
    const service = await tx.get<ServiceRecord>(clusterKeys.service(ref.service));
    if (service === undefined) throw serviceNotFound();
    const deployment = inProgress(service, ref.deploymentId);
    if (deployment?.shifting === undefined)
      throw invalidParameter('The service deployment does not wait for anybody: it is over, or shifts no traffic.');
    const { runs, hooks, stage, rollback } = deployment.shifting;
    const run = runs.find(({ id }) => id === hookId);
    if (run === undefined)
      throw invalidParameter(
        `The service deployment has no hook '${hookId.slice(0, 100)}': lifecycleHookDetails of DescribeServiceDeployments has those that it has.`,
      );
    if (hooks[run.hook]?.target.type !== 'pause')
      throw invalidParameter(
        `The hook ${hookId} answers by itself: only one of targetType PAUSE is continued. StopServiceDeployment rolls back.`,
      );
    const key = clusterKeys.hookResult(ref.service, hookId);
    const said = await tx.get<HookResultRecord>(key);
    if (said?.status === status) return;
    if (said !== undefined)
      throw invalidParameter(
        `The hook ${hookId} was ${said.status === 'FAILED' ? 'rolled back' : 'continued'} already, by ${said.decidedBy ?? 'somebody'}.`,
      );
    if (run.status !== 'AWAITING_ACTION' || rollback !== undefined)
      throw invalidParameter(
        `The hook ${hookId} of the stage ${run.stage} is over (${run.status}), and the service deployment is ${rollback === undefined ? `in the stage ${stage}` : 'going back'}.`,
      );
    const result: HookResultRecord = {
      id: hookId,
      service: ref.service,
      deploymentId: ref.deploymentId,
      status,
      ...(status === 'FAILED' ? { reason: `${by} rolled it back` } : {}),
      decidedBy: by,
      at: ports.clock.now(),
    };
    tx.put(key, toJson(result));
  });
}

const inProgress = (service: ServiceRecord, deploymentId: string): DeploymentRecord | undefined => {
  const primary = primaryOf(service);
  return primary?.id === deploymentId && primary.rolloutState === 'IN_PROGRESS' && service.status === 'ACTIVE'
    ? primary
    : undefined;
};
