import type { Piece } from './pattern.ts';

/**
 * What a document is for, which decides its grammar: `identity` (also boundaries and session policies) has no Principal;
 * `resource` needs one, and may leave Resource out, which then is the resource that carries the policy;
 * `trust` needs a Principal and has no Resource.
 */
export type PolicyKind = 'identity' | 'resource' | 'trust';

export type PolicyVersion = '2008-10-17' | '2012-10-17';

/** A policy document whose grammar has been checked. */
export interface PolicyDocument {
  readonly kind: PolicyKind;
  readonly version: PolicyVersion;
  readonly id?: string;
  readonly statements: readonly Statement[];
  /** The text as it was given. */
  readonly text: string;
}

export interface Statement {
  readonly sid?: string;
  /** Position in the document, from 0. */
  readonly index: number;
  readonly effect: 'Allow' | 'Deny';
  readonly principal?: PrincipalElement;
  readonly action: Element<string>;
  /** Absent in trust policies, and in resource policies that mean the resource they are attached to. */
  readonly resource?: Element<readonly Piece[]>;
  readonly conditions: readonly ConditionElement[];
  /** Offsets of the statement in the text. */
  readonly start: number;
  readonly end: number;
}

/** `Action`/`NotAction`, `Resource`/`NotResource`: a list, or everything but the list. */
export interface Element<T> {
  readonly negated: boolean;
  readonly entries: readonly T[];
}

export interface PrincipalElement {
  /** `NotPrincipal`. */
  readonly negated: boolean;
  readonly entries: readonly PrincipalEntry[];
}

/** One entry of a Principal element. */
export type PrincipalEntry =
  | { readonly type: 'everyone' }
  | { readonly type: 'account'; readonly account: string }
  /** A user, a role, a role session or a federated user, by ARN. */
  | { readonly type: 'arn'; readonly arn: string }
  /** A user, a role or a role session, by unique id (`AIDA…`, `AROA…`, `AROA…:session`). */
  | { readonly type: 'id'; readonly id: string }
  | { readonly type: 'service'; readonly service: string }
  | { readonly type: 'federated'; readonly provider: string }
  | { readonly type: 'canonical-user'; readonly id: string };

export interface ConditionElement {
  /** The operator without qualifier and suffix: `StringLike`, `Null`, … */
  readonly operator: string;
  readonly quantifier?: 'ForAllValues' | 'ForAnyValue';
  readonly ifExists: boolean;
  /** The condition key as written. */
  readonly key: string;
  readonly values: readonly string[];
}
