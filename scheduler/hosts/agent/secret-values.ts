import type { AgentTask, ContainerSecrets } from '../wire/index.ts';

type Values = NonNullable<AgentTask['secretValues']>;

const none: ContainerSecrets = { environment: {}, logOptions: {} };

/** The values of tasks' secrets, in memory only: those that came first, so that all containers of a task have the same. */
export class SecretValues {
  readonly #values = new Map<string, Values>();
  readonly #waiting = new Map<string, PromiseWithResolvers<void>>();

  learn(taskArn: string, values: Values): void {
    if (this.#values.has(taskArn)) return;
    this.#values.set(taskArn, values);
    this.#waiting.get(taskArn)?.resolve();
    this.#waiting.delete(taskArn);
  }

  knows(taskArn: string): boolean {
    return this.#values.has(taskArn);
  }

  of(taskArn: string, container: string): ContainerSecrets {
    const values = this.#values.get(taskArn);
    return values !== undefined && Object.hasOwn(values, container) ? (values[container] ?? none) : none;
  }

  /** Resolves when they are known: after a restart, when the control plane has sent them again. @throws Error when the task is over before */
  wait(taskArn: string): Promise<void> {
    if (this.knows(taskArn)) return Promise.resolve();
    const waiting = this.#waiting.get(taskArn) ?? Promise.withResolvers<void>();
    this.#waiting.set(taskArn, waiting);
    return waiting.promise;
  }

  forget(taskArn: string): void {
    this.#values.delete(taskArn);
    this.#waiting.get(taskArn)?.reject(new Error('the task was over before the control plane sent its secrets'));
    this.#waiting.delete(taskArn);
  }
}
