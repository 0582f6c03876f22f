import { AwsError } from '@slipway/auth/contract';
import { transact } from '@slipway/storage/records';

import { scanAll } from '../cluster/index.ts';
import {
  beginCodeDeploy,
  findService,
  type Historic,
  isBusy,
  stopDeployment,
  type ServiceRef,
} from '../services/index.ts';
import { clusterKeys, clusterPartition, type DeploymentHistoryRecord, toJson } from '../state/index.ts';

import { codeDeployKeys, codeDeployPartition } from './keys.ts';
import type { CodeDeployOptions } from './options.ts';
import { isDone, progressOf } from './progress.ts';
import type { CodeDeployRecord, Progress } from './records.ts';

type Ports = Pick<CodeDeployOptions, 'records' | 'clock'>;

/** How long a deployment stays known after it began. */
const kept = 90 * 24 * 60 * 60 * 1000;

/** For how long one that was stopped before it began is looked at. Milliseconds. */
const doubt = 10 * 60 * 1000;

/** The service of a deployment. */
export const serviceOf = (account: string, { group }: CodeDeployRecord): ServiceRef => ({
  account,
  cluster: group.service.cluster,
  service: group.service.name,
});

/** The service's own deployment that carries one of CodeDeploy's out; undefined before it has begun. */
export async function historicOf(
  ports: Ports,
  account: string,
  record: CodeDeployRecord,
): Promise<{ readonly historic: Historic | undefined; readonly isQueued: boolean }> {
  const ref = serviceOf(account, record);
  const key = clusterKeys.deploymentHistory(ref.service, record.start.id);
  const row = await ports.records.get<DeploymentHistoryRecord>(clusterPartition(account, ref.cluster), key);
  const service = await findService(ports, ref);
  if (row === undefined) {
    const isQueued = service !== undefined && isBusy(service);
    return { historic: undefined, isQueued };
  }
  return { historic: { row: row.value, service }, isQueued: false };
}

/** How far a deployment is, by everything that was committed before the call. */
export async function lookAt(ports: Ports, account: string, record: CodeDeployRecord): Promise<Progress> {
  if (record.ended !== undefined) return record.ended;
  const { historic, isQueued } = await historicOf(ports, account, record);
  return progressOf(record, historic, isQueued);
}

/**
 * Brings a deployment one step on: begins it, ends it when somebody said so, writes down how it ended. What has been done already is not
 * done again, so that any server may call this at any time and be ended in the middle of it.
 */
export async function bringOn(ports: Ports, account: string, id: string): Promise<void> {
  const partition = codeDeployPartition(account);
  const record = (await ports.records.get<CodeDeployRecord>(partition, codeDeployKeys.deployment(id)))?.value;
  if (record === undefined || record.ended !== undefined) {
    if (record === undefined || !(await mayYetBegin(ports, account, record)))
      await close(ports, account, id, undefined);
    return;
  }
  const { historic, isQueued } = await historicOf(ports, account, record);
  if (historic === undefined) {
    const events = progressOf(record, undefined, isQueued).events.map((one) => ({
      ...one,
      status: 'Skipped' as const,
    }));
    const never = { events, weight: 0, endedAt: ports.clock.now() };
    if (record.stop !== undefined) {
      const message = `stopped by ${record.stop.by} before it began.`;
      await close(ports, account, id, { status: 'Stopped', error: { code: 'MANUAL_STOP', message }, ...never });
      return;
    }
    try {
      await beginCodeDeploy(ports, serviceOf(account, record), record.start);
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      const message = `The service cannot be deployed: ${error.message}`;
      await close(ports, account, id, { status: 'Failed', error: { code: 'ECS_UPDATE_ERROR', message }, ...never });
    }
    return;
  }
  const progress = progressOf(record, historic, isQueued);
  if (isDone(progress)) {
    await close(ports, account, id, progress);
    return;
  }
  if (record.stop !== undefined && progress.rollback === undefined) await halt(ports, account, record);
}

/** Whether somebody has ended a deployment before it began. */
const isUnbegun = ({ stop, ended }: Pick<CodeDeployRecord, 'stop' | 'ended'>): boolean =>
  stop !== undefined && ended?.startedAt === undefined;

/**
 * Whether a deployment that was stopped before it began may begin all the same, by a server that read it before the stop and is slow to commit:
 * the two are of different partitions. One that has begun so is stopped.
 */
async function mayYetBegin(ports: Ports, account: string, record: CodeDeployRecord): Promise<boolean> {
  if (!isUnbegun(record)) return false;
  const { historic } = await historicOf(ports, account, record);
  if (historic === undefined) return ports.clock.now() - (record.stop?.at ?? 0) < doubt;
  await halt(ports, account, record);
  return false;
}

/** Passes on what a person has said. One that is past its bake time, or over, ends as it does. */
async function halt(ports: Ports, account: string, { stop, start, ...record }: CodeDeployRecord): Promise<void> {
  const ref = { ...serviceOf(account, { stop, start, ...record } as CodeDeployRecord), deploymentId: start.id };
  try {
    await stopDeployment(ports, ref, stop?.goesBack === true ? 'ROLLBACK' : 'STAY', stop?.by ?? '');
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
  }
}

/** Writes down how a deployment ended, once, and lets go of what is older than it has to be. */
async function close(ports: Ports, account: string, id: string, ended: Progress | undefined): Promise<void> {
  const partition = codeDeployPartition(account);
  const all = await scanAll<CodeDeployRecord>(ports.records, partition, codeDeployKeys.deployments);
  const now = ports.clock.now();
  const old = all.filter((one) => one.ended !== undefined && now - one.createdAt > kept);
  await transact(ports.records, partition, async (tx) => {
    const key = codeDeployKeys.deployment(id);
    const record = await tx.get<CodeDeployRecord>(key);
    // A person may have spoken since: then it is looked at again.
    if (record !== undefined && record.ended === undefined) {
      if (ended === undefined) return;
      tx.put(key, toJson({ ...record, ended }));
      if (isUnbegun({ ...record, ended })) return;
    }
    tx.remove(codeDeployKeys.open(id));
    for (const one of old) {
      tx.remove(codeDeployKeys.deployment(one.id));
      tx.remove(codeDeployKeys.rollback(one.rollbackId));
    }
  });
}

/** Brings every deployment of an account on that has not ended. */
export async function bringAllOn(ports: Ports, account: string, signal: AbortSignal): Promise<void> {
  const open = await scanAll<{ readonly id: string }>(
    ports.records,
    codeDeployPartition(account),
    codeDeployKeys.opens,
  );
  for (const { id } of open) {
    if (signal.aborted) return;
    await bringOn(ports, account, id);
  }
}
