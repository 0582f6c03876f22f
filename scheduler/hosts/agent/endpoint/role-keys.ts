import type { RoleCredentials } from '../../wire/server-messages.ts';

/** `TaskApplication`: what containers may do. `TaskExecution`: what the agent does for the task. */
export type RoleType = 'TaskApplication' | 'TaskExecution';

/** The credentials of tasks' roles, in memory only, the newest of each. */
export class RoleKeys {
  readonly #keys = new Map<string, Partial<Record<RoleType, RoleCredentials>>>();

  learn(taskArn: string, type: RoleType, credentials: RoleCredentials): void {
    this.#keys.set(taskArn, { ...this.#keys.get(taskArn), [type]: credentials });
  }

  of(taskArn: string, type: RoleType): RoleCredentials | undefined {
    return this.#keys.get(taskArn)?.[type];
  }

  forget(taskArn: string): void {
    this.#keys.delete(taskArn);
  }
}
