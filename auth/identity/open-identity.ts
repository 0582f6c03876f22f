import type { Clock } from '@slipway/storage/clock';
import type { RecordStore } from '@slipway/storage/records';
import type { Authorizer } from '../gateway/authorizer.ts';
import type { AccessRequest, Call, Principal } from '../gateway/service.ts';
import type { Credentials } from '../sigv4/credentials.ts';
import { Accounts, type IdentityBase } from './accounts.ts';
import { PolicyAuthorizer } from './authorizer.ts';
import { StoredCredentials } from './credentials.ts';
import { type FirstAdministrator, prepareAccount } from './default-identities.ts';
import { type AccessExplanation, explainAccess } from './explain.ts';
import type { RandomBytes } from './ids.ts';
import { type IssuedSession, issueServiceSession, type SessionRequest } from './issue-session.ts';
import { createSeal } from './seal.ts';
import { Sessions } from './sessions.ts';

export interface IdentityConfig {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** 32 bytes that encrypt secrets at rest; keep them apart from the record store. */
  readonly encryptionKey: Uint8Array;
  readonly region: string;
}

/** Who there is, and what they may do. */
export interface Identity {
  /** Looks up access keys for the signature verifier. */
  readonly credentials: Credentials;
  /** Decides for the front door. */
  readonly authorizer: Authorizer;
  /**
   * Makes the account's administrator and the built-in roles when they are missing.
   * @returns the administrator's key when it was made by this call, which is the only time it can be had
   */
  bootstrap(account: string): Promise<FirstAdministrator | undefined>;
  /** Takes on a role for a part of Slipway that acts as a service (task roles, the container agent). */
  issueSession(request: SessionRequest): Promise<IssuedSession>;
  /** Ends a session: at once here, within five seconds everywhere. */
  revokeSession(accessKeyId: string): Promise<void>;
  /** Removes sessions that expired more than an hour ago; call it now and then. @returns how many */
  sweepSessions(account: string): Promise<number>;
  /** Why the principal may or may not do something, resource by resource. */
  explain(principal: Principal, access: AccessRequest, call: Call): Promise<readonly AccessExplanation[]>;
  close(): Promise<void>;
}

/** @throws RangeError when the encryption key is not 32 bytes */
export function openIdentity(config: IdentityConfig): Identity {
  const base: IdentityBase = {
    records: config.records,
    clock: config.clock,
    random: config.random,
    seal: createSeal(config.encryptionKey, config.random),
    region: config.region,
  };
  const accounts = new Accounts(base);
  const sessions = new Sessions(base);
  const authorizer = new PolicyAuthorizer(accounts, sessions);
  return {
    credentials: new StoredCredentials(accounts, sessions),
    authorizer,
    bootstrap: (account) => prepareAccount(accounts, account),
    issueSession: (request) => issueServiceSession(accounts, sessions, request),
    revokeSession: (accessKeyId) => sessions.revoke(accessKeyId),
    sweepSessions: (account) => sessions.sweep(account),
    explain: async (principal, access, call) =>
      explainAccess(await authorizer.caller(principal), principal, access, call),
    close: () => accounts.close(),
  };
}
