import { setTimeout as sleep } from 'node:timers/promises';
import { DescribeServicesCommand, type ECSClient, type Service } from '@aws-sdk/client-ecs';
import { notDeployed } from '../deployments.ts';
import { CliError } from '../errors.ts';
import { reasonOf, tasksOf } from '../explain.ts';
import type { Applied } from './apply.ts';
import { verdict } from '../verdict.ts';

const pause = 500;

/** Where a service is on its way to a revision. */
export type Standing = 'steady' | 'under way' | { readonly failed: string };

/** @param taskDefinition the ARN of the revision that it is to run */
export function standingOf(service: Service, taskDefinition: string): Standing {
  const primary = service.deployments?.find(({ status }) => status === 'PRIMARY');
  const ours = service.deployments?.find((one) => one.taskDefinition === taskDefinition);
  if (ours?.rolloutState === 'FAILED') return { failed: ours.rolloutStateReason ?? 'the deployment failed' };
  // It went back to what it ran before.
  if (primary !== undefined && primary.taskDefinition !== taskDefinition)
    return { failed: primary.rolloutStateReason ?? `it runs ${primary.taskDefinition?.split('/').at(-1) ?? ''} again` };
  const isThere = primary?.rolloutState === 'COMPLETED' && (service.runningCount ?? 0) >= (service.desiredCount ?? 0);
  return isThere ? 'steady' : 'under way';
}

/**
 * Waits until a service runs its revision.
 * @param timeout milliseconds
 * @param say a line for every change
 * @throws CliError with why it does not, and what its last tasks ended of
 */
export async function untilSteady(
  ecs: ECSClient,
  cluster: string,
  { service, taskDefinition }: Applied,
  timeout: number,
  say: (line: string) => void,
): Promise<void> {
  const end = Date.now() + timeout;
  for (let said = ''; ; await sleep(pause)) {
    const { services } = await ecs.send(new DescribeServicesCommand({ cluster, services: [service] }));
    const [found] = services ?? [];
    if (found === undefined) throw new CliError(`the service ${service} is gone`);
    const standing = standingOf(found, taskDefinition);
    const line = `${service}: ${verdict(found)}`;
    if (line !== said) say(line);
    said = line;
    if (standing === 'steady') return;
    const isLate = Date.now() >= end;
    if (standing === 'under way' && !isLate) continue;
    const why =
      standing === 'under way'
        ? `is not steady after ${timeout / 1000} s: ${verdict(found)}`
        : `was not deployed: ${standing.failed}`;
    const stopped = await tasksOf(ecs, cluster, service, 'STOPPED').catch(() => []);
    const reasons = new Set(
      stopped
        .slice(0, 10)
        .map((task) => reasonOf(task))
        .filter((reason) => reason !== ''),
    );
    throw new CliError(
      [
        `${service} ${why}`,
        ...[...reasons].slice(0, 3).map((reason) => `  a task ended: ${reason}`),
        `  slipway explain ${cluster}/${service} and slipway logs ${cluster}/${service} say more`,
      ].join('\n'),
      notDeployed,
    );
  }
}
