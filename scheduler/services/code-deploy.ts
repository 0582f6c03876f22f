import { transact } from '@slipway/storage/records';

import { type EcsPorts, serviceNotActive, serviceNotFound } from '../cluster/index.ts';
import { inOtherGroup } from '../deployments/index.ts';
import {
  clusterKeys,
  clusterPartition,
  type LaunchSettings,
  type LifecycleHook,
  type ServiceLoadBalancer,
  type ServiceRecord,
  type Shifting,
  type ShiftStrategy,
  toJson,
} from '../state/index.ts';

import { primaryOf, servingOf, startDeployment } from './deployment.ts';
import { writeHistory } from './history.ts';
import { changeService, type ServiceRef } from './services.ts';

/** What a CodeDeploy deployment wants of the service scheduler. */
export interface CodeDeployStart {
  /** Of the service's own deployment that carries it out, from `newDeploymentId`. */
  readonly id: string;
  /** ARN of the revision. */
  readonly taskDefinition: string;
  readonly strategy: ShiftStrategy;
  readonly bakeTimeInMinutes: number;
  readonly hooks: readonly LifecycleHook[];
  /** With the pair of target groups and the listeners; which of the two groups its tasks take follows from who serves. */
  readonly loadBalancer: ServiceLoadBalancer;
  readonly codeDeploy: NonNullable<Shifting['codeDeploy']>;
  /** Where its tasks run in another way than the service was made with. */
  readonly launch?: LaunchSettings;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** The service with the deployment under way. Its own configuration stays: what shifts traffic is the deployment's alone. Pure. */
export function startCodeDeploy(service: ServiceRecord, start: CodeDeployStart): ServiceRecord {
  const { strategy, bakeTimeInMinutes, hooks, loadBalancer, codeDeploy, id, taskDefinition, launch, now } = start;
  const { deploymentConfiguration, loadBalancers } = service;
  // Where nothing has ever served, traffic is at the group that the service was made with.
  const first = servingOf(service) === undefined ? loadBalancers?.[0]?.targetGroupArn : undefined;
  const isOther = first !== undefined && first === loadBalancer.advanced?.alternateTargetGroupArn;
  const started = startDeployment(
    {
      ...service,
      deploymentConfiguration: { ...deploymentConfiguration, strategy, bakeTimeInMinutes, lifecycleHooks: hooks },
      loadBalancers: [isOther ? inOtherGroup(loadBalancer) : loadBalancer],
    },
    { id, taskDefinition, cause: { kind: 'api', detail: `CodeDeploy deployment ${codeDeploy.id}` }, now },
  );
  const { loadBalancers: _, ...rest } = started;
  return {
    ...rest,
    deploymentConfiguration,
    ...(loadBalancers === undefined ? {} : { loadBalancers }),
    deployments: started.deployments.map((one) =>
      one.id === id && one.shifting !== undefined
        ? { ...one, ...(launch === undefined ? {} : { launch }), shifting: { ...one.shifting, codeDeploy } }
        : one,
    ),
  };
}

/**
 * Whether CodeDeploy waits for a deployment of the service that is under way. One that is the first, and may never get to its end, is superseded.
 */
export const isBusy = (service: ServiceRecord): boolean =>
  primaryOf(service)?.rolloutState === 'IN_PROGRESS' && servingOf(service) !== undefined;

/**
 * Begins what CodeDeploy wants of a service, once however often it is called, and not before the deployment under way has ended.
 * @returns false while another deployment of the service is under way
 * @throws ServiceNotFoundException, ServiceNotActiveException
 */
export async function beginCodeDeploy(
  ports: Pick<EcsPorts, 'records' | 'clock'>,
  ref: ServiceRef,
  start: Omit<CodeDeployStart, 'now'>,
): Promise<boolean> {
  return transact(ports.records, clusterPartition(ref.account, ref.cluster), async (tx) => {
    const key = clusterKeys.service(ref.service);
    const service = await tx.get<ServiceRecord>(key);
    if (service === undefined) throw serviceNotFound();
    // Written with the deployment, and there for months: what has begun does not begin again.
    if ((await tx.get(clusterKeys.deploymentHistory(ref.service, start.id))) !== undefined) return true;
    if (service.status !== 'ACTIVE' || service.controller !== 'CODE_DEPLOY') throw serviceNotActive();
    if (isBusy(service)) return false;
    const now = ports.clock.now();
    const started = startCodeDeploy(service, { ...start, now });
    tx.put(key, toJson(started));
    await writeHistory(tx, service, started, now);
    return true;
  });
}

/**
 * Ends the bake time of a deployment that CodeDeploy began: the old tasks end now. Asking again changes nothing.
 * @returns false where it is not in its bake time
 */
export async function endBake(
  ports: Pick<EcsPorts, 'records' | 'clock'>,
  ref: ServiceRef,
  deploymentId: string,
): Promise<boolean> {
  let isBaking = false;
  await changeService(ports, ref, (service) => {
    const deployment = primaryOf(service);
    const { shifting } = deployment ?? {};
    isBaking =
      deployment?.id === deploymentId &&
      deployment.rolloutState === 'IN_PROGRESS' &&
      shifting?.stage === 'BAKE_TIME' &&
      shifting.rollback === undefined &&
      shifting.codeDeploy !== undefined;
    if (!isBaking || shifting?.codeDeploy === undefined || shifting.codeDeploy.bakeOver === true) return service;
    const codeDeploy = { ...shifting.codeDeploy, bakeOver: true as const };
    return {
      ...service,
      deployments: service.deployments.map((one) =>
        one.id === deploymentId ? { ...one, shifting: { ...shifting, codeDeploy } } : one,
      ),
      version: service.version + 1,
    };
  });
  return isBaking;
}
