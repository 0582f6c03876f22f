import { transact, type Transaction } from '@slipway/storage/records';

import type { EcsPorts } from '../../cluster/index.ts';
import type { ServiceRef } from '../../services/index.ts';
import { clusterKeys, clusterPartition, type ServiceRecord, toJson } from '../../state/index.ts';
import { invalid, noTarget } from './errors.ts';
import { resourceId, scalingKeys } from './keys.ts';
import type { PolicyRecord, Suspended, TargetRecord } from './records.ts';

type Ports = Pick<EcsPorts, 'records' | 'clock'>;

/** What a registration says; what it leaves out stays as it is. */
export interface Registration {
  readonly min: number | undefined;
  readonly max: number | undefined;
  readonly suspended: Suspended | undefined;
  /** Of a target that is registered for the first time. */
  readonly tags: Readonly<Record<string, string>> | undefined;
}

/** The target of a service, or undefined. */
export async function findTarget(
  { records }: Pick<Ports, 'records'>,
  ref: ServiceRef,
): Promise<TargetRecord | undefined> {
  return (await records.get<TargetRecord>(clusterPartition(ref.account, ref.cluster), scalingKeys.target(ref.service)))
    ?.value;
}

/**
 * Registers a service as a scalable target, or changes the target that it is. Its count stays where it is: the next policy or scheduled action
 * brings it within the bounds (Application Auto Scaling user guide, "Scalable targets").
 * @throws ValidationException for a service that is not there or not scaled by a count, bounds that are missing or contradict each other, and
 * tags of a target that exists
 */
export function registerTarget({ records, clock }: Ports, ref: ServiceRef, given: Registration): Promise<TargetRecord> {
  return transact(records, clusterPartition(ref.account, ref.cluster), async (tx) => {
    const service = await tx.get<ServiceRecord>(clusterKeys.service(ref.service));
    if (service === undefined || service.status === 'INACTIVE')
      throw invalid(`ECS service doesn't exist: ${resourceId(ref)}`);
    if (service.schedulingStrategy === 'DAEMON')
      throw invalid(
        `The ECS service ${resourceId(ref)} has the scheduling strategy DAEMON: it has one task on each container instance, and no count that could be scaled.`,
      );
    const before = await tx.get<TargetRecord>(scalingKeys.target(ref.service));
    if (before !== undefined && given.tags !== undefined)
      throw invalid('Tags can be given only when a scalable target is registered for the first time. Use TagResource.');
    const min = given.min ?? before?.min;
    const max = given.max ?? before?.max;
    if (min === undefined || max === undefined)
      throw invalid('MinCapacity and MaxCapacity must be specified when a new scalable target is registered.');
    if (max < min) throw invalid('Maximum capacity cannot be less than minimum capacity');
    const suspended = given.suspended ?? before?.suspended ?? {};
    const target: TargetRecord = {
      ...before,
      service: ref.service,
      min,
      max,
      suspended,
      tags: before?.tags ?? given.tags ?? {},
      createdAt: before?.createdAt ?? clock.now(),
    };
    tx.put(scalingKeys.target(ref.service), toJson(target));
    return target;
  });
}

/**
 * Takes a target away, and with it its policies and scheduled actions.
 * @returns the policies
 * @throws ObjectNotFoundException
 */
export function deregisterTarget(
  { records }: Pick<Ports, 'records'>,
  ref: ServiceRef,
): Promise<readonly PolicyRecord[]> {
  return transact(records, clusterPartition(ref.account, ref.cluster), async (tx) => {
    await requireTarget(tx, ref);
    const policies: PolicyRecord[] = [];
    for await (const key of keysOf(tx, scalingKeys.policiesOf(ref.service))) {
      const policy = await tx.get<PolicyRecord>(key);
      if (policy !== undefined) policies.push(policy);
    }
    await removeTarget(tx, ref.service);
    return policies;
  });
}

/** Removes all that a target has, but what is told of it. */
export async function removeTarget(tx: Transaction, service: string): Promise<void> {
  tx.remove(scalingKeys.target(service));
  for (const prefix of [
    scalingKeys.actionsOf(service),
    scalingKeys.policiesOf(service),
    scalingKeys.forecastsOf(service),
  ])
    for await (const key of keysOf(tx, prefix)) tx.remove(key);
}

/** Changes the tags of a target. @throws ObjectNotFoundException, and what `change` throws */
export function changeTags(
  { records }: Pick<Ports, 'records'>,
  ref: ServiceRef,
  change: (tags: TargetRecord['tags']) => TargetRecord['tags'],
): Promise<void> {
  return transact(records, clusterPartition(ref.account, ref.cluster), async (tx) => {
    const target = await requireTarget(tx, ref);
    tx.put(scalingKeys.target(ref.service), toJson({ ...target, tags: change(target.tags) }));
  });
}

/** @throws ObjectNotFoundException */
export async function requireTarget(tx: Transaction, ref: ServiceRef): Promise<TargetRecord> {
  const target = await tx.get<TargetRecord>(scalingKeys.target(ref.service));
  if (target === undefined) throw noTarget(ref);
  return target;
}

/** The keys under a prefix, page by page. */
export async function* keysOf(tx: Transaction, prefix: string): AsyncGenerator<string> {
  for (let after: string | undefined; ;) {
    const { records, more } = await tx.list({ prefix, ...(after === undefined ? {} : { after }) });
    for (const { key } of records) yield key;
    after = records.at(-1)?.key;
    if (!more || after === undefined) return;
  }
}
