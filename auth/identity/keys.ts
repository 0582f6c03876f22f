import { definePartition, type OwnedRows } from '@slipway/storage/records';
import type {
  AccessKeyEntity,
  AliasEntity,
  GroupEntity,
  InstanceProfileEntity,
  LoginProfileEntity,
  OidcProviderEntity,
  PasswordPolicyEntity,
  PolicyEntity,
  RoleEntity,
  ServerCertificateEntity,
  SessionEntity,
  SigningCertificateEntity,
  SshKeyEntity,
  UserEntity,
} from './entities.ts';

const accounts = definePartition('iam/<account>', 'the identities of one account');
const sessions = definePartition('iam-sessions/<account>', 'the sessions of one account');
export const partitionOf = accounts.name;
export const sessionPartitionOf = sessions.name;
/** Last uses lie apart, so that writing them disturbs nobody who follows the identities. */
const uses = definePartition('iam-uses/<account>', 'the last uses of one account');
const attempts = definePartition('iam-signins/<account>', 'the wrong passwords of one account');
const aliases = definePartition('iam-aliases', 'the aliases of all accounts');
export const usesPartitionOf = uses.name;
export const attemptsPartitionOf = attempts.name;
export const aliasPartition = aliases.name();

/** Where a record of type `T` is, or the beginning of where several are. */
export type Key<T> = string & { readonly of?: T };

/** Where records are. Relations have records of their own, so that "not in use any more" is a condition on a prefix. */
export const keys = {
  account: 'account',
  user: (name: string): Key<UserEntity> => `user/${name.toLowerCase()}` as Key<UserEntity>,
  group: (name: string): Key<GroupEntity> => `group/${name.toLowerCase()}` as Key<GroupEntity>,
  role: (name: string): Key<RoleEntity> => `role/${name.toLowerCase()}` as Key<RoleEntity>,
  policy: (name: string): Key<PolicyEntity> => `policy/${name.toLowerCase()}` as Key<PolicyEntity>,
  profile: (name: string): Key<InstanceProfileEntity> => `profile/${name.toLowerCase()}` as Key<InstanceProfileEntity>,
  oidcProvider: (url: string): Key<OidcProviderEntity> => `oidc/${url.toLowerCase()}` as Key<OidcProviderEntity>,
  accessKey: (id: string): Key<AccessKeyEntity> => `key/${id}` as Key<AccessKeyEntity>,
  /** Who is in a group. */
  members: (group: string): Key<true> => `member/${group.toLowerCase()}/` as Key<true>,
  member: (group: string, user: string): Key<true> =>
    `member/${group.toLowerCase()}/${user.toLowerCase()}` as Key<true>,
  /** Who a managed policy is attached to; entities as `user/<name>`. */
  attachments: (arn: string): Key<true> => `attached/${arn} ` as Key<true>,
  attachment: (arn: string, entityKey: string): Key<true> => `attached/${arn} ${entityKey}` as Key<true>,
  /** Whose permissions boundary a managed policy is. */
  boundaries: (arn: string): Key<true> => `bounds/${arn} ` as Key<true>,
  boundary: (arn: string, entityKey: string): Key<true> => `bounds/${arn} ${entityKey}` as Key<true>,
  /** Which instance profiles hold a role. */
  profilesOf: (role: string): Key<true> => `role-profile/${role.toLowerCase()}/` as Key<true>,
  profileOf: (role: string, profile: string): Key<true> =>
    `role-profile/${role.toLowerCase()}/${profile.toLowerCase()}` as Key<true>,
  alias: 'alias' as Key<AliasEntity>,
  passwordPolicy: 'password-policy' as Key<PasswordPolicyEntity>,
  /** By unique id, as all that belongs to one user alone: it stays where it is when the user is renamed. */
  loginProfile: (userId: string): Key<LoginProfileEntity> => `login/${userId}` as Key<LoginProfileEntity>,
  sshKeys: (userId: string): Key<SshKeyEntity> => `ssh/${userId}/` as Key<SshKeyEntity>,
  sshKey: (userId: string, id: string): Key<SshKeyEntity> => `ssh/${userId}/${id}` as Key<SshKeyEntity>,
  signingCertificates: (userId: string): Key<SigningCertificateEntity> =>
    `signing/${userId}/` as Key<SigningCertificateEntity>,
  signingCertificate: (userId: string, id: string): Key<SigningCertificateEntity> =>
    `signing/${userId}/${id}` as Key<SigningCertificateEntity>,
  serverCertificate: (name: string): Key<ServerCertificateEntity> =>
    `server-certificate/${name.toLowerCase()}` as Key<ServerCertificateEntity>,
  use: (id: string): string => `use/${id}`,
  failures: (userId: string): string => `failures/${userId}`,
  aliasOf: (alias: string): string => `alias/${alias}`,
  session: (accessKeyId: string): Key<SessionEntity> => `session/${accessKeyId}` as Key<SessionEntity>,
} as const;

export const identityRows: readonly OwnedRows[] = [
  {
    partition: accounts,
    owner: 'auth/identity',
    keys: [
      keys.account,
      'user/',
      'group/',
      'role/',
      'policy/',
      'profile/',
      'oidc/',
      'key/',
      'member/',
      'attached/',
      'bounds/',
      'role-profile/',
      keys.alias,
      keys.passwordPolicy,
      'login/',
      'ssh/',
      'signing/',
      'server-certificate/',
    ],
  },
  { partition: sessions, owner: 'auth/identity', keys: [keys.session('')] },
  { partition: uses, owner: 'auth/identity', keys: [keys.use('')] },
  { partition: attempts, owner: 'auth/identity', keys: [keys.failures('')] },
  { partition: aliases, owner: 'auth/identity', keys: [keys.aliasOf('')] },
];
