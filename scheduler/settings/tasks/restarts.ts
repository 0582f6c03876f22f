import type { Log } from '@slipway/auth/contract';
import { parseArn } from '@slipway/auth/kit';
import { lead, type Leases } from '@slipway/storage/leases';
import { scan } from '@slipway/storage/records';

import type { EcsPorts } from '../../cluster/index.ts';
import { listAccounts, readDefinition } from '../../control/index.ts';
import { secretNeeds } from '../../hosts/control/index.ts';
import { changeService, primaryOf, restarts, startDeployment } from '../../services/index.ts';
import {
  accountKeys,
  accountPartition,
  clusterKeys,
  clusterPartition,
  type DeploymentRecord,
  installationPartition,
  newDeploymentId,
  type ServiceRecord,
} from '../../state/index.ts';
import { bodyOf } from '../../tasks/index.ts';
import { newest, type Parameters, readReference } from '../parameters/index.ts';
import type { Secrets } from '../secrets/index.ts';

/** Milliseconds between comparisons, and for how long no value has changed before a service is rolled: what changes together rolls it once. */
const pace = 15_000;
export const calm = 30_000;
const retryAfter = 1_000;

export interface RestartPorts extends EcsPorts {
  readonly secrets: Secrets;
  readonly parameters: Parameters;
  readonly leases: Leases;
  readonly log: Log;
}

/**
 * Rolls services that ask for it when what their containers are given has changed since their newest deployment began: level-triggered, on one
 * server at a time. Works until the signal aborts; it never rejects.
 */
export function restartOnSecrets(ports: RestartPorts, signal: AbortSignal): Promise<void> {
  const { leases, clock, log } = ports;
  const interrupted = (err: unknown): void => log.warn({ err }, 'comparing the secrets of services was interrupted');
  return lead(
    leases,
    { partition: installationPartition, name: 'secret-restarts', clock, signal, interrupted, retryAfter },
    async (_, over) => {
      while (!over.aborted) {
        for (const account of await listAccounts(ports.records)) await restartServices(ports, account);
        await clock.sleep(pace, over);
      }
    },
  );
}

/** One comparison of an account's services. One that cannot be compared or rolled is told in the log and does not stop the others. */
export async function restartServices(ports: RestartPorts, account: string): Promise<void> {
  const { records, log } = ports;
  for await (const { key } of scan(records, accountPartition(account), { prefix: accountKeys.clusters })) {
    const cluster = key.slice(accountKeys.clusters.length);
    const services = scan<ServiceRecord>(records, clusterPartition(account, cluster), {
      prefix: clusterKeys.services,
    });
    for await (const { value: service } of services) {
      if (!restarts(service) || service.status !== 'ACTIVE' || service.controller !== undefined) continue;
      const place = { account, cluster, service: service.name };
      try {
        await compare(ports, place, service);
      } catch (err) {
        log.warn({ ...place, err }, 'cannot compare the secrets of a service now; trying again');
      }
    }
  }
}

type Place = Readonly<Record<'account' | 'cluster' | 'service', string>>;

async function compare(ports: RestartPorts, place: Place, service: ServiceRecord): Promise<void> {
  const { records, clock, random, log } = ports;
  const primary = primaryOf(service);
  if (primary === undefined) return;
  const definition = await readDefinition(records, place.account, primary.taskDefinition);
  if (definition === undefined) return;
  const begun = lastBegun(primary);
  const sources = new Set(secretNeeds(bodyOf(definition)).map(({ valueFrom }) => valueFrom));
  const changed: string[] = [];
  let last = 0;
  for (const source of sources) {
    const at = await changedAt(ports, place.account, source);
    if (at === undefined || at <= begun) continue;
    changed.push(source);
    last = Math.max(last, at);
  }
  if (changed.length === 0 || clock.now() < last + calm) return;
  const detail = `new values of ${changed.join(', ')}`.slice(0, 1000);
  const { before, after } = await changeService(ports, place, (current) =>
    primaryOf(current)?.id === primary.id && restarts(current)
      ? startDeployment(current, {
          id: newDeploymentId(random),
          taskDefinition: primary.taskDefinition,
          cause: { kind: 'secret', detail },
          now: clock.now(),
        })
      : current,
  );
  if (after !== before)
    log.info(
      { ...place, deploymentId: primaryOf(after)?.id, why: detail },
      'rolls the service to new values of its secrets',
    );
}

/**
 * When the newest deployment began that has brought what there was then. After a rollback that is the one that failed: with values that its
 * tasks cannot run with the service stays as it is, and is not rolled again and again.
 */
function lastBegun({ createdAt, cause: { failed } }: DeploymentRecord): number {
  return failed === undefined ? createdAt : Math.max(createdAt, failed.createdAt ?? failed.updatedAt);
}

/** When what a task is given from a source changed last; undefined for what never changes, or is not there. */
async function changedAt(
  { secrets, parameters, region }: RestartPorts,
  account: string,
  source: string,
): Promise<number | undefined> {
  if (source.startsWith('arn:aws:s3:::')) return undefined;
  if (parseArn(source)?.service !== 'secretsmanager') {
    const found = await parameters.find(account, source);
    const fixed = readReference({ region, account }, source)?.selector !== undefined;
    return found === undefined || fixed ? undefined : newest(found).modifiedAt;
  }
  const [name = '', , , version = ''] = source.slice(source.indexOf(':secret:') + ':secret:'.length).split(':');
  if (version !== '') return undefined;
  const arn = source.slice(0, source.indexOf(':secret:') + ':secret:'.length) + name;
  const secret = await secrets.find(account, arn);
  return secret?.deletionAt === undefined ? secret?.valueSince : undefined;
}
