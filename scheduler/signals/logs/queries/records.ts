import type { FooterPlace, StoredBlob } from '../store/records.ts';

/** What a query has gone over so far. */
export interface QueryStatistics {
  /** Events that got through the filters. */
  readonly matched: number;
  /** Events that were looked at, and the bytes of their messages; what an index or a byte search left out is not among them. */
  readonly scanned: number;
  readonly bytes: number;
  readonly groups: number;
}

export type QueryStatus = 'Scheduled' | 'Running' | 'Complete' | 'Failed' | 'Cancelled' | 'Timeout';

/** What is asked. */
export interface QueryRequest {
  readonly query: string;
  /** Names of groups. */
  readonly groups: readonly string[];
  /** Milliseconds since the epoch: inclusive, and exclusive. */
  readonly start: number;
  readonly end: number;
  readonly limit?: number | undefined;
  /** The ARN of whoever asks. */
  readonly by: string;
}

/**
 * A query. While it is `Scheduled` or `Running` one process writes it, each time on condition that nobody else has; another one may end it:
 * who stops it, and who finds that nothing was heard of it for a minute.
 */
export interface QueryRecord extends QueryRequest {
  readonly status: QueryStatus;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** When the process that works on it last said so. */
  readonly aliveAt: number;
  readonly endedAt?: number | undefined;
  readonly statistics: QueryStatistics;
  /** The answer; absent while there is none. */
  readonly blob?: StoredBlob | undefined;
  readonly pages?: readonly AnswerPage[] | undefined;
}

/** Rows of an answer that lie in one frame of its blob. */
export interface AnswerPage extends FooterPlace {
  readonly rows: number;
}

/** A query that was saved under a name. */
export interface QueryDefinition {
  readonly name: string;
  readonly query: string;
  readonly groups: readonly string[];
  /** Milliseconds since the epoch. */
  readonly modifiedAt: number;
}
