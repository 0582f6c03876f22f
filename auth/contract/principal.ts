/** Who is calling, as authentication established it. */
export interface Principal {
  readonly type: 'root' | 'user' | 'assumed-role' | 'federated-user' | 'anonymous';
  /** 12 digits; the account whose identity policies apply. Empty for `anonymous`. */
  readonly account: string;
  /** `arn:aws:iam::…:user/…`, `arn:aws:sts::…:assumed-role/…/…`, …; `*` for `anonymous`. */
  readonly arn: string;
  /** The unique id (`AIDA…`, `AROA…:session`); what policies bind to when a name is reused. */
  readonly id: string;
  readonly accessKeyId?: string;
  /** When temporary credentials end, milliseconds since the epoch. */
  readonly expiresAt?: number;
  /**
   * Of a user who has signed in to the console with a password: when, and when that password was set, in milliseconds since the epoch. Ends
   * when the password is changed or taken away.
   */
  readonly console?: { readonly since: number; readonly passwordSet: number };
  /** A token's restriction (docker Bearer scope, session policy), as policy documents that must all allow as well. */
  readonly restrictions?: readonly unknown[];
  /**
   * Nobody's credentials are at hand: something that the principal made acts in its name (a webhook). A session then stands
   * for its role, without session policies.
   */
  readonly delegated?: true;
}

/** The members of a principal that are kept where it is to be told again who acted, and nothing else that an object may hold. */
export function barePrincipal(principal: Principal): Principal {
  const { type, account, arn, id, accessKeyId, expiresAt, console, restrictions } = principal;
  return {
    type,
    account,
    arn,
    id,
    ...(accessKeyId === undefined ? {} : { accessKeyId }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(console === undefined ? {} : { console }),
    ...(restrictions === undefined ? {} : { restrictions }),
  };
}
