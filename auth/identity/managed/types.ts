/** A statement of a managed policy, as it stands in the document. */
export interface ManagedStatement {
  readonly Sid?: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Action?: string | readonly string[];
  readonly NotAction?: readonly string[];
  readonly Resource: string | readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

export interface ManagedPolicyText {
  readonly name: string;
  /** Default `/`. */
  readonly path?: string;
  readonly description: string;
  readonly statements: readonly ManagedStatement[];
}

/** A managed policy that belongs to no account and cannot be changed. */
export interface AwsManagedPolicy {
  readonly arn: string;
  readonly name: string;
  readonly path: string;
  readonly id: string;
  readonly description: string;
  /** Milliseconds since the epoch. */
  readonly created: number;
  readonly document: string;
}
