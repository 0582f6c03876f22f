export { type AcmeCertificates, type AcmeOptions, openAcme } from './certificates.ts';
export { type AcmeSettings, AcmeSettingsError, type ChallengeType } from './settings.ts';
export { acmeRows } from './keys.ts';
export { readTrouble, type RenewalRequest, requestRenewal, type Trouble } from './store.ts';
