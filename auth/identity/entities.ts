import type { Json } from '@slipway/storage/records';

/**
 * What the account's partition `iam/<account>` holds. Names are unique without regard to case, so keys carry the lower-case name
 * and records the name as it was given. Policy documents are stored as text, with the principals of trust policies bound to unique ids.
 */

/** Tag keys of users and roles are unique without regard to case, and keep the case they were given. */
export type Tags = Readonly<Record<string, string>>;

/** Inline policies: document text by policy name. */
export type InlinePolicies = Readonly<Record<string, string>>;

export interface UserEntity {
  readonly kind: 'user';
  readonly name: string;
  readonly path: string;
  /** `AIDA…`. */
  readonly id: string;
  /** Milliseconds since the epoch, as everywhere here. */
  readonly created: number;
  readonly tags: Tags;
  readonly attached: readonly string[];
  readonly inline: InlinePolicies;
  /** ARN of the managed policy that is the permissions boundary. */
  readonly boundary?: string;
  /** Lower-case names of groups. */
  readonly groups: readonly string[];
  readonly accessKeys: readonly string[];
  /** When the last password was set that was taken away. */
  readonly passwordGone?: number;
}

export interface GroupEntity {
  readonly kind: 'group';
  readonly name: string;
  readonly path: string;
  /** `AGPA…`. */
  readonly id: string;
  readonly created: number;
  readonly attached: readonly string[];
  readonly inline: InlinePolicies;
}

export interface RoleEntity {
  readonly kind: 'role';
  readonly name: string;
  readonly path: string;
  /** `AROA…`. */
  readonly id: string;
  readonly created: number;
  readonly description: string;
  /** Seconds, 3600 to 43200. */
  readonly maxSession: number;
  /** The trust policy, principals bound to unique ids. */
  readonly trust: string;
  readonly tags: Tags;
  readonly attached: readonly string[];
  readonly inline: InlinePolicies;
  readonly boundary?: string;
  /** The service a service-linked role belongs to; such roles cannot be changed by hand. */
  readonly linkedTo?: string;
}

export interface PolicyVersionEntity {
  /** `v1`, `v2`, … */
  readonly id: string;
  readonly created: number;
  readonly document: string;
}

/** A customer-managed policy. */
export interface PolicyEntity {
  readonly kind: 'policy';
  readonly name: string;
  readonly path: string;
  /** `ANPA…`. */
  readonly id: string;
  readonly created: number;
  readonly updated: number;
  readonly description?: string;
  readonly tags: Tags;
  readonly defaultVersion: string;
  /** The number of the newest version ever made; numbers are not reused. */
  readonly lastVersion: number;
  readonly versions: readonly PolicyVersionEntity[];
}

export interface InstanceProfileEntity {
  readonly kind: 'instance-profile';
  readonly name: string;
  readonly path: string;
  /** `AIPA…`. */
  readonly id: string;
  readonly created: number;
  readonly tags: Tags;
  /** Lower-case name of its role; a profile holds at most one. */
  readonly role?: string;
}

export interface OidcProviderEntity {
  readonly kind: 'oidc-provider';
  /** Host and path without the scheme, as it stands in the ARN and in condition keys. */
  readonly url: string;
  readonly created: number;
  readonly clientIds: readonly string[];
  readonly thumbprints: readonly string[];
  readonly tags: Tags;
}

export interface AccessKeyEntity {
  readonly kind: 'access-key';
  readonly id: string;
  /** Lower-case user name, and the user's unique id, which must still be the same when the key is used. */
  readonly user: string;
  readonly userId: string;
  readonly status: 'Active' | 'Inactive';
  readonly created: number;
  /** The secret, sealed for this key id. */
  readonly sealed: string;
}

/** The account's name beside its number. */
export interface AliasEntity {
  readonly kind: 'alias';
  readonly alias: string;
}

/** What passwords of users must be; without it IAM's default holds. */
export interface PasswordPolicyEntity {
  readonly kind: 'password-policy';
  readonly minimumLength: number;
  readonly requireSymbols: boolean;
  readonly requireNumbers: boolean;
  readonly requireUppercase: boolean;
  readonly requireLowercase: boolean;
  readonly usersMayChange: boolean;
  readonly maxAgeDays?: number;
  /** How many passwords, the present one included, a new one must differ from. */
  readonly reusePrevention?: number;
  /** What has run out can be set by an administrator only. */
  readonly hardExpiry: boolean;
}

/** A user's password for the console. */
export interface LoginProfileEntity {
  readonly kind: 'login-profile';
  readonly userId: string;
  readonly created: number;
  /** When the password was set. */
  readonly changed: number;
  /** The user must set another one first. */
  readonly resetRequired: boolean;
  /** Salt and hashes as JSON, sealed for this user. */
  readonly sealed: string;
}

export interface SshKeyEntity {
  readonly kind: 'ssh-key';
  /** `APKA…`. */
  readonly keyId: string;
  /** `ssh-rsa …` without a comment. */
  readonly body: string;
  readonly status: 'Active' | 'Inactive';
  readonly uploaded: number;
}

export interface SigningCertificateEntity {
  readonly kind: 'signing-certificate';
  readonly certificateId: string;
  /** PEM, as it was uploaded. */
  readonly body: string;
  /** SHA-256. */
  readonly fingerprint: string;
  readonly status: 'Active' | 'Inactive';
  readonly uploaded: number;
}

export interface ServerCertificateEntity {
  readonly kind: 'server-certificate';
  readonly name: string;
  readonly path: string;
  /** `ASCA…`. */
  readonly id: string;
  readonly uploaded: number;
  readonly expires: number;
  /** PEM, as they were uploaded. */
  readonly body: string;
  readonly chain?: string;
  /** The private key, sealed for the id. */
  readonly sealed: string;
  readonly tags: Tags;
}

/** What an access key of a session stands for; lives in `iam-sessions/<account>`, which nothing mirrors. */
export interface SessionEntity {
  readonly kind: 'role-session' | 'user-session' | 'federated-session';
  readonly accessKeyId: string;
  /** The session's principal. */
  readonly arn: string;
  readonly principalId: string;
  /** Unique id of the role or user behind it. */
  readonly issuerId: string;
  readonly sealed: string;
  /** SHA-256 of the session token, hex. */
  readonly tokenHash: string;
  readonly issued: number;
  readonly expires: number;
  /** Session policies: an inline text and managed policies; undefined when none were passed. */
  readonly policies?: { readonly inline?: string; readonly managed: readonly string[] };
  readonly tags: Tags;
  readonly transitiveTags: readonly string[];
  readonly sourceIdentity?: string;
  /** The identity provider or service for which the session was made, when it was not an IAM principal. */
  readonly federatedProvider?: string;
  /** Whether the session was made by a session (role chaining). */
  readonly chained?: boolean;
}

export type Entity =
  | UserEntity
  | GroupEntity
  | RoleEntity
  | PolicyEntity
  | InstanceProfileEntity
  | OidcProviderEntity
  | AccessKeyEntity
  | AliasEntity
  | PasswordPolicyEntity
  | LoginProfileEntity
  | SshKeyEntity
  | SigningCertificateEntity
  | ServerCertificateEntity;

/** Records are JSON; the type system needs to be told that an entity is. */
export const asJson = (entity: Entity | SessionEntity): Json => entity as unknown as Json;
