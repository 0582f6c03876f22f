/** Condition keys and their values for one authorization, e.g. `{ 'aws:ResourceTag/team': 'a' }`. */
export type ConditionContext = Readonly<Record<string, string | readonly string[] | undefined>>;

/** A thing that is acted on. */
export interface ResourceRef {
  readonly arn: string;
  /** Whose it is, where its ARN does not say (a bucket). */
  readonly account?: string;
  /** The text of the policy attached to the resource itself (a repository policy), when it has one. */
  readonly policy?: string;
  /**
   * Whether its policy must allow what is done, so that policies of identities alone allow nothing (keys of KMS, whose policy hands that to
   * the account's own policies where it names the account).
   */
  readonly policyDecides?: true;
  /** The resource's tags, offered as `aws:ResourceTag/<key>`. */
  readonly tags?: Readonly<Record<string, string>>;
  /**
   * Actions that everybody may do with it, also without a login, while no policy denies them (pulls of a public repository). Nothing
   * else opens a resource to strangers: `Principal: "*"` in its policy means everybody who has logged in.
   */
  readonly open?: readonly string[];
}

/** One thing that must be allowed before a handler runs. */
export interface AccessRequest {
  /** `service:Action`. */
  readonly action: string;
  readonly resources: readonly ResourceRef[];
  readonly context?: ConditionContext;
}

/** What must be allowed, all of it; it is never empty. */
export type AccessList = readonly [AccessRequest, ...AccessRequest[]];
