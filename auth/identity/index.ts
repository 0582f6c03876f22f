export { type FirstAdministrator, WrongEncryptionKey } from './default-identities.ts';
export type { AccessExplanation } from './explain.ts';
export { accountOfAccessKey, type RandomBytes } from './ids.ts';
export type { IssuedSession, SessionRequest } from './issue-session.ts';
export { type Identity, type IdentityConfig, openIdentity } from './open-identity.ts';
export { passRole } from './pass-role.ts';
export type { GuardedFetch } from './sts/web-identity.ts';
export { SealBroken } from './seal.ts';
export type { TemporaryCredentials } from './sessions.ts';
