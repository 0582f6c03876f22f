export {
  type AcmeAuthority,
  type AuthorityOptions,
  type CertificateOrder,
  openAuthority,
  type Ordered,
} from './authority.ts';
export { type AcmeCertificates, type AcmeOptions, openAcme } from './certificates.ts';
export { type AcmeSettings, AcmeSettingsError, type ChallengeType } from './settings.ts';
export { acmeRows } from './keys.ts';
export type { Challenge } from './order.ts';
export type { KeyKind } from './x509.ts';
export { readTrouble, type RenewalRequest, requestRenewal, type Trouble } from './store.ts';
