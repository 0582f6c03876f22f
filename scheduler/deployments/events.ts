import type { ServiceRecord, TaskTarget } from '../state/index.ts';

import type { Gain } from './types.ts';

/** The words of ECS for the events of a service, without the prefix `(service NAME) `. */
export const eventTexts = {
  started: (ids: readonly string[]): string => `has started ${ids.length} tasks: ${list(ids)}.`,
  stopped: (ids: readonly string[]): string => `has stopped ${ids.length} running tasks: ${list(ids)}.`,
  steady: 'has reached a steady state.',
  impaired: 'is unable to consistently start tasks successfully.',
  deadlock:
    'was unable to stop or start tasks during a deployment because of the service deployment configuration. ' +
    'Update the minimumHealthyPercent or maximumPercent value and try again.',
  protectedTasks:
    'was unable to reach steady state. Reason: The number of protected tasks are more than the desired count of tasks.',
  protectedSet: (set: string): string =>
    `was unable to reach steady state because task set (taskSet ${set}) was unable to scale in. Reason: The number of protected tasks are more than the desired count of tasks.`,
  unplaceable: ({ code, message }: { readonly code: string; readonly message: string }): string =>
    `was unable to place a task because no container instance met all of its requirements. ${code === 'EMPTY' ? 'Reason: ' : ''}${message}`,
  failed: (deployment: string, why: string): string => `(deployment ${deployment}) deployment failed: ${why}.`,
  alarmsIgnored: (deployment: string, alarms: readonly string[]): string =>
    `(deployment ${deployment}) does not watch its alarms: ${alarms.join(', ')} ${alarms.length === 1 ? 'was' : 'were'} in ALARM when it began.`,
  alarmsDetected: (deployment: string, alarms: readonly string[]): string =>
    `(deployment ${deployment}) ${alarms.length === 1 ? 'alarm' : 'alarms'} ${alarms.join(', ')} went into ALARM.`,
  rollingBack: (deployment: string): string => `rolling back to deployment ${deployment}.`,
  nothingToRollBackTo: (deployment: string): string =>
    `(deployment ${deployment}) cannot be rolled back: no deployment of this service has completed yet. ` +
    'No new tasks are started until the service is updated.',
  notShifted: (deployment: string, why: string): string =>
    `(deployment ${deployment}) is unable to shift traffic: ${why}`,
  judged: (deployment: string, verdict: string): string => `(deployment ${deployment}) is ${verdict}.`,
  unbalanced: (counts: string): string => `is not AZ balanced with ${counts}. AZ Rebalancing in progress.`,
  balanced: (counts: string): string => `is AZ balanced with ${counts}.`,
  rebalancingStopped: 'AZ Rebalancing stopped: the service changed. It goes on when the service is steady.',
  moves: ({ taskId, from, to, why }: Gain): string =>
    `moves (task ${taskId}) from (container-instance ${from}) to (container-instance ${to}): ${why}.`,
  unhealthy: (ids: readonly string[]): string => `${list(ids)} failed container health checks.`,
  registered: (group: string, count: number): string => `registered ${count} targets in (target-group ${group})`,
  deregistered: (group: string, count: number): string => `deregistered ${count} targets in (target-group ${group})`,
  notRegistered: (group: string, why: string): string =>
    `failed to register targets in (target-group ${group}) with (error ${why})`,
  draining: (count: number): string => `has begun draining connections on ${count} tasks.`,
  unhealthyTarget: (task: string, { port, targetGroupArn, health }: TaskTarget): string =>
    `(task ${task}) (port ${port}) is unhealthy in (target-group ${targetGroupArn}) due to (reason ${health?.description ?? 'Health checks failed'})`,
  unreachable: (ids: readonly string[]): string =>
    `${list(ids)} lost contact with the control plane and ${ids.length === 1 ? 'is' : 'are'} being replaced.`,
  interrupted: 'has tasks on a host that is taken back; they are replaced, and end within two minutes of the notice.',
} as const;

const list = (ids: readonly string[]): string => ids.map((id) => `(task ${id})`).join(' ');

/** Causes that last: their event is said once, and again only after the cause went away or six hours passed. */
export type StandingCause =
  | 'unplaceable'
  | 'impaired'
  | 'deadlock'
  | 'protected'
  | 'unreachable'
  | 'interrupted'
  | 'registration'
  | 'zones'
  | 'shift';

/** Collects the events of one pass and remembers what was said about standing causes. */
export class Voice {
  readonly messages: string[] = [];
  readonly #service: string;
  readonly #repeatAfter: number;
  readonly #now: number;
  readonly #said: Map<string, { readonly message: string; readonly at: number }>;

  constructor(service: ServiceRecord, now: number, repeatAfter: number) {
    this.#service = service.name;
    this.#repeatAfter = repeatAfter;
    this.#now = now;
    this.#said = new Map(Object.entries(service.said ?? {}));
  }

  say(text: string): void {
    this.messages.push(`(service ${this.#service}) ${text}`);
  }

  /** The same of the tasks of one deployment. */
  sayOf(deployment: string, text: string): void {
    this.messages.push(`(service ${this.#service}, taskSet ${deployment}) ${text}`);
  }

  /** Says it if it is news; otherwise the cause just stands on. */
  sayStanding(cause: StandingCause, text: string): void {
    const before = this.#said.get(cause);
    if (before !== undefined && before.message === text && this.#now - before.at < this.#repeatAfter) return;
    this.#said.set(cause, { message: text, at: this.#now });
    this.say(text);
  }

  /** The cause is gone: the next time it is news again. */
  resolve(cause: StandingCause): void {
    this.#said.delete(cause);
  }

  said(): Readonly<Record<string, { readonly message: string; readonly at: number }>> {
    return Object.fromEntries([...this.#said].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
