/**
 * What is kept about one request. Made of identifiers and decisions only: no header, body, query, token or secret ever
 * has a member to go into.
 */
export type AuditLine = AuditMoment & AuditFacts;

/** What no two requests have in common. */
export interface AuditMoment {
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly requestId: string;
  /** Where there are traces. */
  readonly traceId?: string;
  readonly milliseconds: number;
}

/** What all requests have in common that one answer is given to. */
export interface AuditFacts {
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
}

/** The `detail` of a call that was to be decided and not made, whatever was decided: nobody tried anything. */
export const onlyAsked = 'only whether it is allowed was asked';

/** Facts with their text, which is made once however many lines it goes into. */
export class Audited {
  readonly facts: AuditFacts;
  #text: string | undefined;

  constructor(facts: AuditFacts) {
    this.facts = facts;
  }

  /** The members as they stand in a JSON object, without its braces. */
  get text(): string {
    return (this.#text ??= JSON.stringify(this.facts).slice(1, -1));
  }
}

/** Where audit lines go. Must not throw and must not block. */
export interface AuditSink {
  write(moment: AuditMoment, audited: Audited): void;
}
