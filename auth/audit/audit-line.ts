/**
 * What is kept about one request. Made of identifiers and decisions only: no header, body, query, token or secret ever
 * has a member to go into.
 */
export interface AuditLine {
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly requestId: string;
  /** Where there are traces. */
  readonly traceId?: string;
  readonly service: string;
  readonly operation: string;
  readonly principal: {
    readonly type: string;
    readonly arn: string;
    readonly account: string;
    readonly accessKeyId?: string;
  };
  /** How the caller proved who it is. */
  readonly via: string;
  readonly sourceIp: string;
  readonly userAgent: string;
  /** What was asked of the policies, in order, and what they answered. */
  readonly decisions: readonly {
    readonly action: string;
    readonly resources: readonly string[];
    /** How many more there were. */
    readonly resourcesLeftOut?: number;
    readonly allowed: boolean;
    readonly reason: string;
    readonly statement?: { readonly policy: string; readonly statement: string };
  }[];
  /** How many more there were, before the last. */
  readonly decisionsLeftOut?: number;
  readonly status: number;
  readonly error?: string;
  /** What the caller was not told, e.g. which part of a signature's scope was wrong. */
  readonly detail?: string;
  readonly milliseconds: number;
}

/** Where audit lines go. Must not throw and must not block. */
export interface AuditSink {
  write(line: AuditLine): void;
}
