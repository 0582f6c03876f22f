import type { Clock } from '@slipway/storage/clock';
import type { RecordStore } from '@slipway/storage/records';
import type {
  AccessRequest,
  FrontAuthorizer,
  Call,
  Principal,
  ResourceRef,
  ServiceDefinition,
  Standing,
} from '../contract/index.ts';
import type { Credentials } from '../sigv4/index.ts';
import type { Sealer } from '../tokens/index.ts';
import { Accounts, type IdentityPorts } from './accounts.ts';
import { parseIdentityArn, roleArn } from './arns.ts';
import { PolicyAuthorizer } from './authorizer.ts';
import { PrincipalBinding } from './bind-principals.ts';
import type { Caller, Disowned } from './caller.ts';
import { callerByArn } from './caller-by-arn.ts';
import { callerByKey } from './caller-by-key.ts';
import { StoredCredentials } from './credentials.ts';
import {
  administratorKey,
  confirmAdministrator,
  type FirstAdministrator,
  prepareAccount,
} from './default-identities.ts';
import { keys } from './keys.ts';
import { type AccessExplanation, explainAccess } from './explain.ts';
import { createSigning } from '../kit/index.ts';
import { Iam } from './iam/iam.ts';
import { iamService } from './iam/index.ts';
import { openServerCertificate } from './iam/server-certificates.ts';
import { iamPages } from './iam/paging.ts';
import type { RandomBytes } from './ids.ts';
import { roleOfProfile } from './profile-role.ts';
import { type IssuedSession, issueServiceSession, type SessionRequest } from './issue-session.ts';
import { LastUses } from './last-uses.ts';
import { Attempts, signIn, type SignInAttempt, type SignInVerdict } from './passwords/index.ts';
import { isTrustAction } from './resources.ts';
import { createSeal } from './seal.ts';
import { Sessions } from './sessions.ts';
import { IdentityStanding } from './standing.ts';
import { stsService } from './sts/index.ts';
import { Sts } from './sts/sts.ts';
import { takeRoleWithWebIdentity } from './sts/take-role.ts';
import { type GuardedFetch, WebIdentities } from './sts/web-identity.ts';

export interface IdentityOptions {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** 32 bytes that encrypt secrets at rest; keep them apart from the record store. */
  readonly encryptionKey: Uint8Array;
  readonly region: string;
  /** How OpenID Connect providers are reached. Without it AssumeRoleWithWebIdentity answers that it is not enabled. */
  readonly fetch?: GuardedFetch;
}

/** Who there is, and what they may do. */
export interface Identity {
  /** IAM and STS. */
  readonly services: readonly ServiceDefinition[];
  /** Looks up access keys for the signature verifier. */
  readonly credentials: Credentials;
  /** Whether the principal of a token may still act. */
  readonly standing: Standing;
  /** Decides for the front door. */
  readonly authorizer: FrontAuthorizer;
  /** Encrypts with the identity encryption key, for other secrets at rest (token signing keys). */
  readonly sealer: Sealer;
  /**
   * Makes the account's administrator and the built-in roles when they are missing.
   * @returns the administrator's key, until it is confirmed to be kept
   * @throws WrongEncryptionKey
   */
  bootstrap(account: string): Promise<FirstAdministrator | undefined>;
  /** The key that `bootstrap` returned is kept, durably: it does not return it again. */
  confirmAdministrator(account: string): Promise<void>;
  /** The administrator's key, for whoever has the encryption key and the records in hand; undefined when none is active. @throws SealBroken */
  administratorKey(account: string): Promise<FirstAdministrator | undefined>;
  /** The ARN of the role that an instance profile has, by its ARN or its name; undefined without the profile, or without a role in it. */
  profileRole(
    account: string,
    profile: { readonly Arn?: string | undefined; readonly Name?: string | undefined },
  ): Promise<string | undefined>;
  /** A server certificate with its private key, for listeners of load balancers; undefined when the account has none of the ARN. */
  serverCertificate(
    account: string,
    arn: string,
  ): Promise<{ readonly certificate: string; readonly chain?: string; readonly privateKey: string } | undefined>;
  /**
   * Has IAM ask before a server certificate is deleted, renamed or moved.
   * @param release lets go of it, unless something has it. @returns the ARNs of what has it
   */
  guardServerCertificates(release: (account: string, arn: string) => Promise<readonly string[]>): void;
  /** Takes on a role for a part of Slipway that acts as a service (task roles, the container agent). @throws AwsError */
  issueSession(request: SessionRequest): Promise<IssuedSession>;
  /**
   * Verifies a user's password, for the console: by account number or alias. Wrong ones are counted, for the user and for the address.
   * @throws StoreUnavailable, AwsError `Throttling`
   */
  signIn(attempt: SignInAttempt): Promise<SignInVerdict>;
  /**
   * Takes a role on for whoever an OpenID Connect provider says signed in: as `AssumeRoleWithWebIdentity` decides, by the role's trust policy.
   * @throws AwsError
   */
  takeRole(
    taking: { readonly roleArn: string; readonly token: string; readonly sessionName: string },
    call: Call,
  ): Promise<Principal>;
  /** Ends a session: at once here, within five seconds everywhere. */
  revokeSession(accessKeyId: string): Promise<void>;
  /** Removes sessions that expired more than an hour ago, and last uses that nobody asks for any more; call it now and then. @returns how many sessions */
  sweepSessions(account: string): Promise<number>;
  /**
   * A resource policy as it is stored: users and roles by unique id instead of ARN, so that it does not mean their namesakes later.
   * @throws AwsError `MalformedPolicyDocumentException` when a named user or role does not exist
   */
  bindPrincipals(policy: string): Promise<string>;
  /** A stored resource policy as it is shown: unique ids whose owner exists by ARN again. */
  showPrincipals(policy: string): Promise<string>;
  /**
   * A resource with what of it counts: of a role, its tags, and its trust policy for whoever would take it on. Of a session it is its role, by
   * its whole ARN: sessions do not say the path of theirs.
   */
  resource(arn: string, action: string): Promise<ResourceRef>;
  /**
   * Why somebody may or may not do something, resource by resource.
   * @param who a principal, the ARN of a user, a role or a session (a role without session policies), or an access key id: of a
   * temporary one the very session, with its policies
   */
  explain(who: Principal | string, access: AccessRequest, call: Call): Promise<readonly AccessExplanation[]>;
  close(): Promise<void>;
}

/** @throws RangeError when the encryption key is not 32 bytes */
export function openIdentity(config: IdentityOptions): Identity {
  const base: IdentityPorts = {
    records: config.records,
    clock: config.clock,
    random: config.random,
    seal: createSeal(config.encryptionKey, config.random),
    region: config.region,
  };
  const accounts = new Accounts(base);
  const sessions = new Sessions(base);
  const pages = iamPages(createSigning(() => base.seal.keyFor('page tokens')));
  const uses = new LastUses(base);
  const attempts = new Attempts(base);
  const authorizer = new PolicyAuthorizer(accounts, sessions);
  const binding = new PrincipalBinding(accounts);
  const iam = new Iam(accounts, authorizer, binding, pages, uses, attempts);
  const webIdentities = new WebIdentities(config.clock, config.fetch);
  const callerOf = async (who: Principal | string): Promise<Caller | Disowned> => {
    if (typeof who !== 'string') return authorizer.caller(who);
    if (/^A(?:KIA|SIA)\w+$/.test(who)) return callerByKey(accounts, sessions, authorizer, who);
    const mirror = await accounts.mirror(parseIdentityArn(who)?.account ?? '');
    return mirror === undefined ? { disowned: `${who} is not the ARN of a user or role` } : callerByArn(mirror, who);
  };
  const sts = new Sts(accounts, sessions, webIdentities);
  const credentials = new StoredCredentials(accounts, sessions, uses);
  return {
    services: [iamService(iam), stsService(sts)],
    credentials,
    standing: new IdentityStanding(authorizer),
    authorizer,
    sealer: base.seal,
    profileRole: (account, profile) => roleOfProfile(accounts, account, profile),
    serverCertificate: (account, arn) => openServerCertificate(iam, account, arn),
    guardServerCertificates: (release) => {
      iam.releaseServerCertificate = release;
    },
    bootstrap: (account) => prepareAccount(accounts, account),
    confirmAdministrator: (account) => confirmAdministrator(accounts, account),
    administratorKey: (account) => administratorKey(accounts, account),
    issueSession: (request) => issueServiceSession(accounts, sessions, request),
    signIn: (attempt) => signIn(accounts, attempts, attempt),
    takeRole: (taking, call) => takeRoleWithWebIdentity(sts, credentials, taking, call),
    revokeSession: (accessKeyId) => sessions.revoke(accessKeyId),
    async sweepSessions(account) {
      const mirror = await accounts.mirror(account);
      await uses.sweep(account, (id) => mirror?.byId(id) !== undefined);
      return sessions.sweep(account);
    },
    bindPrincipals: (policy) => binding.bind(policy),
    showPrincipals: (policy) => binding.show(policy),
    async resource(arn, action) {
      const parsed = parseIdentityArn(arn);
      if (parsed?.type !== 'role' && parsed?.type !== 'assumed-role') return { arn };
      const isSession = parsed.type === 'assumed-role';
      const mirror = await accounts.mirror(parsed.account);
      const role = mirror?.get(keys.role(isSession ? parsed.path.slice(1, -1) : parsed.name));
      if (role === undefined) return { arn };
      const whole = roleArn(parsed.account, role);
      if (!isSession && whole !== arn) return { arn };
      return { arn: whole, tags: role.tags, ...(isTrustAction(action) ? { policy: role.trust } : {}) };
    },
    async explain(who, access, call) {
      const caller = await callerOf(who);
      const named = typeof who === 'string' ? who : who.arn;
      return explainAccess(caller, 'disowned' in caller ? named : caller.principal.arn, access, call);
    },
    async close() {
      await uses.close();
      await accounts.close();
    },
  };
}
