import { type Transaction, transact } from '@slipway/storage/records';

import {
  type ClusterRef,
  clusterNotFound,
  type EcsPorts,
  invalidParameter,
  scan,
  serviceNotActive,
  serviceNotFound,
} from '../cluster/index.ts';
import {
  clusterKeys,
  clusterPartition,
  type ClusterRecord,
  type Delegate,
  type FollowRule,
  newDeploymentId,
  type ServiceLoadBalancer,
  type ServiceRecord,
  toJson,
  type TokenRecord,
} from '../state/index.ts';
import { stableJson } from '../tasks/index.ts';
import { hasTaskSets } from '../deployments/index.ts';
import { checkChange } from './code-deploy-rules.ts';
import { newDeployment, primaryOf, startDeployment } from './deployment.ts';
import { followTag, formatFollow, withTags } from './follow.ts';
import { writeHistory } from './history.ts';
import { checkJudged } from './judge.ts';
import { rescaled } from './rescale.ts';
import { checkShift } from './traffic-rules.ts';

/** Names one service. */
export interface ServiceRef extends ClusterRef {
  readonly service: string;
}

/** What a service's author decides; the rest of its record is made by the control plane. */
export type ServiceDraft = Omit<
  ServiceRecord,
  | 'name'
  | 'arn'
  | 'status'
  | 'deployments'
  | 'createdAt'
  | 'follow'
  | 'judge'
  | 'steady'
  | 'version'
  | 'said'
  | 'rejected'
  | 'rebalancing'
>;

/** The domain functions of services need no region: ARNs come with their arguments. */
export type ServicePorts = Pick<EcsPorts, 'records' | 'clock' | 'random'>;

/** The service's record, whatever its status, or undefined. */
export async function findService(
  ports: Pick<EcsPorts, 'records'>,
  ref: ServiceRef,
): Promise<ServiceRecord | undefined> {
  const partition = clusterPartition(ref.account, ref.cluster);
  return (await ports.records.get<ServiceRecord>(partition, clusterKeys.service(ref.service)))?.value;
}

/**
 * Creates a service with its PRIMARY deployment in progress. A service of the same name that is ACTIVE and wants the
 * same is returned as it is, as on ECS; so is the one that this client token made.
 * @throws ClusterNotFoundException, InvalidParameterException
 */
export async function createService(
  ports: ServicePorts,
  ref: ServiceRef,
  draft: ServiceDraft,
  options: { readonly arn: string; readonly token?: { readonly value: string; readonly request: string } },
): Promise<ServiceRecord> {
  checkShift(draft, undefined);
  const partition = clusterPartition(ref.account, ref.cluster);
  return transact(ports.records, partition, async (tx) => {
    await requireCluster(tx);
    const key = clusterKeys.service(ref.service);
    const existing = await tx.get<ServiceRecord>(key);
    if (options.token !== undefined) {
      const tokenKey = clusterKeys.token('CreateService', options.token.value);
      const used = await tx.get<TokenRecord>(tokenKey);
      if (used !== undefined && (used.request !== options.token.request || used.ids[0] !== ref.service)) {
        throw invalidParameter('The client token was already used by a different request: use a new token.');
      }
      if (used !== undefined && existing !== undefined) return existing;
      const token: TokenRecord = {
        operation: 'CreateService',
        request: options.token.request,
        ids: [ref.service],
        createdAt: ports.clock.now(),
        done: true,
      };
      tx.put(tokenKey, toJson(token));
    }
    if (existing?.status === 'DRAINING') throw invalidParameter('Unable to Start a service that is still Draining.');
    if (existing?.status === 'ACTIVE') {
      if (!wantsTheSame(existing, draft)) throw invalidParameter('Creation of service was not idempotent.');
      return existing;
    }
    for await (const event of scan(ports.records, partition, clusterKeys.serviceEvents(ref.service)))
      tx.remove(event.key);
    const now = ports.clock.now();
    const created = withTags(
      {
        ...draft,
        name: ref.service,
        arn: options.arn,
        status: 'ACTIVE',
        deployments: hasTaskSets(draft)
          ? []
          : [
              newDeployment(
                { ...draft, deployments: [] },
                {
                  id: newDeploymentId(ports.random),
                  taskDefinition: draft.taskDefinition,
                  cause: { kind: 'api' },
                  now,
                },
              ),
            ],
        createdAt: now,
        steady: false,
        version: existing?.version ?? 0,
      },
      draft.tags,
      draft.followedBy,
    );
    tx.put(key, toJson(created));
    await writeHistory(tx, undefined, created, now);
    return created;
  });
}

/** By what a service's tasks are started; replaced as a whole. */
export type ServiceLaunch = Pick<ServiceRecord, 'launchType' | 'capacityProviderStrategy' | 'formerLaunchType'>;

/** Members of a service that UpdateService may change. */
export type ServiceChange = Partial<
  Omit<ServiceDraft, 'schedulingStrategy' | 'controller' | keyof ServiceLaunch | 'tags' | 'createdBy' | 'loadBalancers'>
> & {
  readonly launch?: ServiceLaunch;
  /** Empty: none from now on. */
  readonly loadBalancers?: readonly ServiceLoadBalancer[];
};

/**
 * Changes an ACTIVE service. Another task definition, or `force`, starts a deployment; the other members apply to the
 * deployment under way and all later ones (ECS: UpdateService).
 * @throws ServiceNotFoundException, ServiceNotActiveException, and what `change` throws
 */
export async function updateService(
  ports: ServicePorts,
  ref: ServiceRef,
  change: (service: ServiceRecord) => ServiceChange,
  options: { readonly force?: boolean } = {},
): Promise<ServiceRecord> {
  const changed = await changeService(ports, ref, (service) => {
    const { taskDefinition = service.taskDefinition, launch, loadBalancers, ...rest } = change(service);
    const { loadBalancers: had, ...others } = launch === undefined ? service : launchedBy(service, launch);
    const balancers = loadBalancers ?? had ?? [];
    const updated: ServiceRecord = {
      ...others,
      ...(balancers.length === 0 ? {} : { loadBalancers: balancers }),
      ...rest,
      steady: false,
      version: service.version + 1,
    };
    // Its sets say what their tasks are; the service says how many.
    if (hasTaskSets(service))
      return rescaled({ ...updated, desiredCount: service.desiredCount }, updated.desiredCount, ports.clock.now());
    checkChange(service, updated, { force: options.force === true, taskDefinition });
    if (service.controller !== 'CODE_DEPLOY') checkShift(updated, service);
    checkJudged(updated);
    // Tasks that run keep the interfaces, the platform and the target groups that they have: others need other tasks.
    const moved = stableJson(placeOf(updated)) !== stableJson(placeOf(service));
    if (options.force !== true && !moved && taskDefinition === primaryOf(service)?.taskDefinition) return updated;
    return startDeployment(updated, {
      id: newDeploymentId(ports.random),
      taskDefinition,
      cause: { kind: 'api' },
      now: ports.clock.now(),
    });
  });
  return changed.after;
}

const placeOf = ({ network, platformVersion = 'LATEST', loadBalancers }: ServiceRecord): unknown => [
  network,
  platformVersion,
  loadBalancers,
];

/** Tasks that run stay where they are; the next ones follow. */
function launchedBy(service: ServiceRecord, launch: ServiceLaunch): ServiceRecord {
  const { capacityProviderStrategy: _, formerLaunchType: __, ...others } = service;
  return { ...others, ...launch };
}

/**
 * Begins the end of a service: DRAINING with nothing desired; the reconciler stops its tasks and makes it INACTIVE.
 * @throws ServiceNotFoundException, ServiceNotActiveException, InvalidParameterException when tasks are still wanted and `force` is not set
 */
export async function deleteService(ports: ServicePorts, ref: ServiceRef, force: boolean): Promise<ServiceRecord> {
  return (
    await changeService(
      ports,
      ref,
      (service) => {
        if (service.status === 'DRAINING') return service;
        if (service.schedulingStrategy === 'REPLICA' && service.desiredCount > 0 && !force) {
          throw invalidParameter('The service cannot be stopped while it is scaled above 0.');
        }
        if (hasTaskSets(service) && service.deployments.length > 0 && !force)
          throw invalidParameter(
            'The service cannot be stopped while it has task sets: delete them with DeleteTaskSet, or use force.',
          );
        return { ...service, status: 'DRAINING', desiredCount: 0, steady: false, version: service.version + 1 };
      },
      ['ACTIVE', 'DRAINING'],
    )
  ).after;
}

/**
 * Sets, or with undefined clears, what a service follows; the tag `slipway:follow` says the same afterwards.
 * @param by whose rights the rule has
 * @throws ServiceNotFoundException, ServiceNotActiveException
 */
export async function setFollow(
  ports: ServicePorts,
  ref: ServiceRef,
  rule: FollowRule | undefined,
  by: Delegate,
): Promise<ServiceRecord> {
  const changed = await changeService(ports, ref, (service) => {
    const { [followTag]: _, ...others } = service.tags;
    return withTags(service, rule === undefined ? others : { ...others, [followTag]: formatFollow(rule) }, by);
  });
  return changed.after;
}

/**
 * Changes a service in one transaction; returning it as it is writes nothing.
 * @throws ServiceNotFoundException, ServiceNotActiveException when its status is not among `statuses`
 */
export function changeService(
  ports: Pick<EcsPorts, 'records' | 'clock'>,
  ref: ServiceRef,
  change: (service: ServiceRecord) => ServiceRecord,
  statuses: readonly ServiceRecord['status'][] = ['ACTIVE'],
): Promise<ServiceChanged> {
  return transact(ports.records, clusterPartition(ref.account, ref.cluster), async (tx) => {
    await requireCluster(tx);
    return changeServiceWithin(tx, ref.service, change, ports.clock.now(), statuses);
  });
}

/** A service before and after a change. */
export interface ServiceChanged {
  readonly before: ServiceRecord;
  readonly after: ServiceRecord;
}

/** As {@link changeService}, together with whatever else a transaction in the cluster's partition does. */
export async function changeServiceWithin(
  tx: Transaction,
  service: string,
  change: (service: ServiceRecord) => ServiceRecord,
  now: number,
  statuses: readonly ServiceRecord['status'][] = ['ACTIVE'],
): Promise<ServiceChanged> {
  const key = clusterKeys.service(service);
  const before = await tx.get<ServiceRecord>(key);
  if (before === undefined) throw serviceNotFound();
  if (!statuses.includes(before.status)) throw serviceNotActive();
  const after = change(before);
  if (after !== before) {
    tx.put(key, toJson(after));
    await writeHistory(tx, before, after, now);
  }
  return { before, after };
}

async function requireCluster(tx: Transaction): Promise<void> {
  const cluster = await tx.get<ClusterRecord>(clusterKeys.cluster);
  if (cluster?.status !== 'ACTIVE') throw clusterNotFound();
}

const ofPrimarySet: ReadonlySet<string> = new Set([
  'taskDefinition',
  'launchType',
  'capacityProviderStrategy',
  'platformVersion',
  'network',
  'loadBalancers',
] satisfies (keyof ServiceRecord)[]);

/** Whether a repeated CreateService asks for what the service already is. How many daemons there are is not the author's choice. */
function wantsTheSame(service: ServiceRecord, draft: ServiceDraft): boolean {
  // What nobody asked for may have another default by now than when the service was made.
  const { createdBy: _, followedBy: __, availabilityZoneRebalancing: ___, desiredCount, ...given } = draft;
  const wanted = { capacityProviderStrategy: undefined, loadBalancers: undefined, ...given };
  return (
    (draft.schedulingStrategy === 'DAEMON' || desiredCount === service.desiredCount) &&
    Object.entries(wanted)
      // The primary task set has made these its own.
      .filter(([member]) => !hasTaskSets(service) || !ofPrimarySet.has(member))
      .every(([member, value]) => stableJson(value) === stableJson(service[member as keyof ServiceRecord]))
  );
}
