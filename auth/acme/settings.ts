/** What the operator decides about certificates by ACME. */
export interface AcmeSettings {
  /** The authority's directory URL (https). */
  readonly directory: string;
  /** Names and IP addresses of the certificate, in lower case; no wildcards, which neither challenge can prove. */
  readonly names: readonly string[];
  /** Where the authority may write to; not every authority wants one. */
  readonly email: string | undefined;
  /** An account at the authority that the ACME account is bound to (RFC 8555, section 7.3.4). */
  readonly externalAccount: { readonly keyId: string; readonly keyFile: string } | undefined;
  /** PEM file of the authorities that may vouch for the directory itself, instead of the public ones. */
  readonly authoritiesFile: string | undefined;
  readonly challenge: ChallengeType;
  /** Where HTTP-01 is answered; the authority itself always asks at port 80. */
  readonly httpPort: number;
  /** One of the kinds of certificates that the authority offers, e.g. `shortlived`; undefined takes its default. */
  readonly profile: string | undefined;
}

/** `http-01` (RFC 8555, section 8.3) on a port of its own, `tls-alpn-01` (RFC 8737) on the port that serves. */
export type ChallengeType = 'http-01' | 'tls-alpn-01';

/** The settings cannot be used on this machine; the message says why and what to do. */
export class AcmeSettingsError extends Error {
  override readonly name = 'AcmeSettingsError';
}
