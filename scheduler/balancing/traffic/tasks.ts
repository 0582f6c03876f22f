import type { TaskTarget } from '../../state/index.ts';

/** A task that load balancers send requests to, as its cluster has it. */
export interface BalancedTask {
  readonly cluster: string;
  readonly id: string;
  /** Whether it may get requests: it runs, and nobody has told it to stop. What once is not wanted never is again. */
  readonly isWanted: boolean;
  readonly targets: readonly TaskTarget[];
}

/** What is written of a task's registration into its cluster. */
export interface TargetNote {
  readonly cluster: string;
  readonly task: string;
  /** The registration's id. */
  readonly target: string;
  readonly change: Pick<TaskTarget, 'health'> | { readonly quietAt: number };
}

/** The clusters of an installation, as far as load balancing knows them: tasks are targets, and are told how they do. */
export interface BalancedTasks {
  /** Tasks with a registration that is not over, by everything that was committed before the call. */
  read(account: string): Promise<readonly BalancedTask[]>;
  /** One task by the records of its cluster; undefined when it is not there any more. */
  find(account: string, cluster: string, id: string): Promise<BalancedTask | undefined>;
  /** Calls back when tasks or services of any cluster of the account have changed. @returns ends that */
  watch(account: string, changed: () => void): () => void;
  /** Writes into the tasks' records; of what is not there any more, nothing. */
  note(account: string, notes: readonly TargetNote[]): Promise<void>;
}
