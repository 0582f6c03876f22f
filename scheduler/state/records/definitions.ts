import type { Tags } from './tags.ts';

/** One family of task definitions, in the account's partition. */
export interface FamilyRecord {
  readonly family: string;
  /** The highest revision ever given out; revisions are never reused. */
  readonly lastRevision: number;
  /** The newest ACTIVE revision: what the bare family name stands for. Absent when none is ACTIVE. */
  readonly latestActive?: number;
}

/** What an idempotency token has already done, in the cluster's partition. */
export interface TokenRecord {
  readonly operation: 'RunTask' | 'CreateService' | 'CreateTaskSet';
  /** Digest of the request, to tell a retry from another request under the same token. */
  readonly request: string;
  /** Ids of the tasks or of the task set, or the name of the service. */
  readonly ids: readonly string[];
  readonly createdAt: number;
  /** Set once the request got through. */
  readonly done: boolean;
}

/** One revision of a task definition, in the account's partition. `definition` is the SDK's RegisterTaskDefinition input, defaults filled in. */
export interface TaskDefinitionRecord {
  readonly arn: string;
  readonly family: string;
  readonly revision: number;
  readonly status: 'ACTIVE' | 'INACTIVE' | 'DELETE_IN_PROGRESS';
  readonly registeredAt: number;
  readonly registeredBy?: string;
  readonly deregisteredAt?: number;
  readonly deleteRequestedAt?: number;
  /** In the SDK's TaskDefinition shape, without arn, revision, status and dates. */
  readonly definition: unknown;
  readonly requiresAttributes: readonly string[];
  readonly tags: Tags;
  /** The revision this one was pinned from by a push, when it was. */
  readonly pinnedFrom?: string;
}
