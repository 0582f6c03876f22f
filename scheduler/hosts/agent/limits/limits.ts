import { createHash } from 'node:crypto';

import type { AgentTask } from '../../wire/index.ts';

/** What the containers of a task may take together. */
export interface Limits {
  /** Vcpus; undefined: as many as there are. */
  readonly cpu?: number;
  /** CPU units: the task's part of a busy processor beside other tasks. */
  readonly shares: number;
  /** Bytes; undefined: no limit. */
  readonly memory?: number;
  /** Whether memory may be swapped out. */
  readonly swap: boolean;
  /** Processes and threads. */
  readonly pids: number;
}

const mebibyte = 1024 * 1024;

/**
 * The limits of a task: its own sizes, and without them the shares of its containers together, so that a task weighs as much as
 * they would side by side (amazon-ecs-agent's rules for a task's control group). Fargate has no swap.
 */
export function limitsOf(task: AgentTask, pids: number): Limits {
  const { cpu = 0, memory = 0, containers } = task;
  const units = cpu > 0 ? cpu * 1024 : containers.reduce((sum, container) => sum + container.cpu, 0);
  return {
    ...(cpu > 0 ? { cpu } : {}),
    shares: Math.max(2, Math.round(units)),
    // Docker refuses containers with less than 6 MiB.
    ...(memory > 0 ? { memory: Math.max(6, memory) * mebibyte } : {}),
    swap: task.launchType !== 'FARGATE',
    pids,
  };
}

/** The kernel's own conversion of version 1's shares (2 to 262144) to version 2's weights (1 to 10000), as runc has it. */
export const weightOf = (shares: number): number => Math.min(10_000, 1 + Math.floor(((shares - 2) * 9_999) / 262_142));

/** The name of a task's control group: hexadecimal digits. */
export function groupOf(taskArn: string): string {
  const id = taskArn.slice(taskArn.lastIndexOf('/') + 1);
  return groupNames.test(id) ? id : createHash('sha256').update(taskArn).digest('hex').slice(0, 32);
}

export const groupNames = /^[0-9a-f]{32}$/;
