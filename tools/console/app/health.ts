import type { Alarm, Container, Deployment, Host, ServiceRow } from './types.ts';

export type Level = 'good' | 'busy' | 'warn' | 'bad' | 'idle';

export interface Health {
  readonly level: Level;
  readonly word: string;
}

/** How a service stands, in one word. */
export function healthOf(service: ServiceRow): Health {
  const { status = '', desiredCount = 0, runningCount = 0, deployments = [] } = service;
  if (status === 'INACTIVE') return { level: 'idle', word: 'Deleted' };
  if (status === 'DRAINING') return { level: 'busy', word: 'Going away' };
  const primary = primaryOf(deployments);
  if (primary?.rolloutState === 'FAILED') return { level: 'bad', word: 'Deployment failed' };
  if (isDeploying(service)) {
    const { failedTasks = 0 } = primary ?? {};
    return failedTasks > 0 ? { level: 'warn', word: 'Deploying, tasks fail' } : { level: 'busy', word: 'Deploying' };
  }
  if (runningCount < desiredCount)
    return runningCount === 0 ? { level: 'bad', word: 'Down' } : { level: 'warn', word: 'Short of tasks' };
  return desiredCount === 0 ? { level: 'idle', word: 'Scaled to zero' } : { level: 'good', word: 'Steady' };
}

export const primaryOf = (deployments: readonly Deployment[] | undefined): Deployment | undefined =>
  deployments?.find(({ status }) => status === 'PRIMARY');

/** Whether one revision is taking the place of another. */
export function isDeploying({ deployments = [] }: ServiceRow): boolean {
  const primary = primaryOf(deployments);
  return primary?.rolloutState === 'IN_PROGRESS' && (deployments.length > 1 || (primary.runningCount ?? 0) === 0);
}

export function healthOfHost({ status = '', agentConnected }: Host): Health {
  if (agentConnected === false) return { level: 'bad', word: 'Not connected' };
  if (status === 'DRAINING') return { level: 'busy', word: 'Draining' };
  return status === 'ACTIVE' ? { level: 'good', word: 'Connected' } : { level: 'idle', word: capital(status) };
}

/** How a task, or one of its containers, stands. */
export function healthOfTask(lastStatus: string | undefined, healthStatus: string | undefined): Health {
  if (lastStatus === 'STOPPED') return { level: 'idle', word: 'Stopped' };
  if (lastStatus !== 'RUNNING') return { level: 'busy', word: capital(lastStatus ?? 'Unknown') };
  if (healthStatus === 'UNHEALTHY') return { level: 'bad', word: 'Unhealthy' };
  return { level: 'good', word: healthStatus === 'HEALTHY' ? 'Healthy' : 'Running' };
}

export const capital = (word: string): string =>
  word.charAt(0).toUpperCase() + word.slice(1).toLowerCase().replaceAll('_', ' ');

/** Something that a person should look at. */
export interface Attention {
  readonly level: 'bad' | 'warn';
  readonly title: string;
  readonly detail: string;
  /** The parts of the address of the page that says more. */
  readonly to?: readonly string[];
}

/** What needs attention, the worst first. */
export function attention(
  services: readonly ServiceRow[],
  hosts: readonly Host[],
  alarms: readonly Alarm[],
): readonly Attention[] {
  const found: Attention[] = [];
  for (const service of services) {
    const { level, word } = healthOf(service);
    if (level !== 'bad' && level !== 'warn') continue;
    const { desiredCount = 0, runningCount = 0, serviceName = '', clusterArn = '' } = service;
    found.push({
      level,
      title: `${serviceName}: ${word.toLowerCase()}`,
      detail: primaryOf(service.deployments)?.rolloutStateReason ?? `${runningCount} of ${desiredCount} tasks run.`,
      to: ['services', clusterArn.split('/').at(-1) ?? '', serviceName],
    });
  }
  for (const host of hosts) {
    if (host.agentConnected !== false) continue;
    found.push({
      level: 'bad',
      title: `Host ${nameOfHost(host)} is not connected`,
      detail: 'Its tasks go on, but nothing is known of them and none can be placed there.',
    });
  }
  for (const { AlarmName = '', StateReason = '' } of alarms)
    found.push({ level: 'warn', title: `Alarm ${AlarmName}`, detail: StateReason });
  return found.toSorted((a, b) => Number(a.level === 'warn') - Number(b.level === 'warn'));
}

/** What people call a host: its instance, else the beginning of its id. */
export const nameOfHost = ({ ec2InstanceId, containerInstanceArn }: Host): string =>
  ec2InstanceId ?? containerInstanceArn?.split('/').at(-1)?.slice(0, 12) ?? '';

/** Part of a host's CPU or memory that tasks reserve, 0 to 1; undefined where it has none. */
export function reserved(
  { registeredResources, remainingResources }: Host,
  name: 'CPU' | 'MEMORY',
): number | undefined {
  const of = (list: Host['registeredResources']): number | undefined =>
    list?.find((one) => one.name === name)?.integerValue;
  const [all, left] = [of(registeredResources), of(remainingResources)];
  return all === undefined || left === undefined || all === 0 ? undefined : Math.min(1, Math.max(0, 1 - left / all));
}

/** Why a task stopped, as far as it is known: its own reason, and what its containers ended with. */
export function whyStopped(reason: string | undefined, containers: readonly Container[] | undefined): string {
  const ends = (containers ?? []).flatMap(({ name = '', exitCode, reason: own }) =>
    exitCode === undefined && own === undefined
      ? []
      : [
          `${name}: ${[exitCode === undefined ? '' : `exit code ${exitCode}`, own ?? ''].filter((one) => one !== '').join(', ')}`,
        ],
  );
  return [reason ?? '', ...ends].filter((one) => one !== '').join(' — ');
}
