import type { AgentTask } from '../wire/index.ts';
import type { LocalImage } from './images.ts';

/** What survives a restart of the agent. */
export interface SavedTask {
  readonly task: AgentTask;
  /** The installation that sent it. */
  readonly installation?: string;
  readonly desired: 'RUNNING' | 'STOPPED';
  /** Why containers will never run, by name. */
  readonly failures: Readonly<Record<string, string>>;
  readonly images: Readonly<Record<string, LocalImage>>;
  /** The id under which its containers ask for the task role's credentials; the credentials are never on disk. */
  readonly credentialsId?: string;
  readonly reason?: string;
  readonly pullStartedAt?: number;
  readonly pullStoppedAt?: number;
  readonly stoppedAt?: number;
  /** When the task was told to stop. */
  readonly stopOrderedAt?: number;
  /** Whether its network interface stands. */
  readonly attached?: boolean;
  /** Whether it was seen what its file systems are mounted from. */
  readonly held?: boolean;
  /** Names of containers that were started, or were about to be: none of them is made a second time. */
  readonly started: readonly string[];
  /** How often containers were started again by their restart policy, what they last exited with before, and when (in Docker's words). */
  readonly restarts?: Readonly<
    Record<string, { readonly count: number; readonly exitCode: number; readonly endedAt?: string }>
  >;
}

/**
 * A task as a file of this agent holds it. One of an agent that noted no starts yet: whatever it had an image for may have run, and
 * is not to run twice.
 */
export function restored(file: Omit<SavedTask, 'started'> & Partial<SavedTask>): SavedTask {
  return { ...file, started: file.started ?? Object.keys(file.images) };
}
