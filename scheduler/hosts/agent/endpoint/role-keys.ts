import type { RoleCredentials } from '../../wire/index.ts';

/** `TaskApplication`: what containers may do. `TaskExecution`: what the agent does for the task. */
export type RoleType = 'TaskApplication' | 'TaskExecution';

interface Waiting {
  readonly type: RoleType;
  readonly resolve: (credentials: RoleCredentials) => void;
  readonly reject: (error: Error) => void;
}

/** The credentials of tasks' roles, in memory only, the newest of each. */
export class RoleKeys {
  readonly #keys = new Map<string, Partial<Record<RoleType, RoleCredentials>>>();
  readonly #waiting = new Map<string, readonly Waiting[]>();

  learn(taskArn: string, type: RoleType, credentials: RoleCredentials): void {
    this.#keys.set(taskArn, { ...this.#keys.get(taskArn), [type]: credentials });
    this.#settle(taskArn, (waiting) => {
      if (waiting.type !== type) return false;
      waiting.resolve(credentials);
      return true;
    });
  }

  /** Resolves when they are known. @throws Error when the task is over before */
  wait(taskArn: string, type: RoleType): Promise<RoleCredentials> {
    const known = this.of(taskArn, type);
    if (known !== undefined) return Promise.resolve(known);
    const { promise, resolve, reject } = Promise.withResolvers<RoleCredentials>();
    this.#waiting.set(taskArn, [...(this.#waiting.get(taskArn) ?? []), { type, resolve, reject }]);
    return promise;
  }

  of(taskArn: string, type: RoleType): RoleCredentials | undefined {
    return this.#keys.get(taskArn)?.[type];
  }

  forget(taskArn: string): void {
    this.#keys.delete(taskArn);
    this.#settle(taskArn, (waiting) => {
      waiting.reject(new Error("the task was over before the control plane sent its role's credentials"));
      return true;
    });
  }

  /** Drops the waiting ones that `settle` has settled. */
  #settle(taskArn: string, settle: (waiting: Waiting) => boolean): void {
    const left = (this.#waiting.get(taskArn) ?? []).filter((waiting) => !settle(waiting));
    if (left.length === 0) this.#waiting.delete(taskArn);
    else this.#waiting.set(taskArn, left);
  }
}
