import { z } from 'zod';
import type { AcmeSettings } from './settings.ts';

const prefix = 'urn:ietf:params:acme:error:';

/** A problem document (RFC 7807) as authorities send it. */
export const problemDocument = z.object({
  type: z.string().default('about:blank'),
  detail: z.string().default('no reason given'),
  subproblems: z
    .array(
      z.object({
        type: z.string().default('about:blank'),
        detail: z.string().default('no reason given'),
        identifier: z.object({ value: z.string() }).optional(),
      }),
    )
    .optional(),
});

export type ProblemDocument = z.output<typeof problemDocument>;

/** The authority refused. `message` is what it said. */
export class AcmeProblem extends Error {
  override readonly name = 'AcmeProblem';
  /** The last part of a registered type, e.g. `rateLimited`; the whole type of others. */
  readonly kind: string;
  readonly status: number;
  /** How long the authority wants to be left alone, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(document: ProblemDocument, status: number, retryAfterMs?: number) {
    const parts = (document.subproblems ?? []).map(
      ({ type, detail, identifier }) => `${identifier?.value ?? kindOf(type)}: ${detail}`,
    );
    super([document.detail, ...parts].join('; '));
    this.kind = kindOf(document.type);
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The authority could not be asked, or did not answer as RFC 8555 says. */
export class AuthorityUnavailable extends Error {
  override readonly name = 'AuthorityUnavailable';
}

const kindOf = (type: string): string => (type.startsWith(prefix) ? type.slice(prefix.length) : type);

/** What an operator can do about a failed order. */
export function adviceFor(error: unknown, settings: AcmeSettings): string {
  if (error instanceof AuthorityUnavailable)
    return `see whether this machine reaches ${settings.directory}, and whether SLIPWAY_ACME_DIRECTORY and SLIPWAY_ACME_CA_FILE are right`;
  if (!(error instanceof AcmeProblem)) return 'see the error';
  const port = settings.challenge === 'http-01' ? 80 : 443;
  const own = settings.challenge === 'http-01' ? `port ${settings.httpPort}` : 'the port that serves';
  switch (error.kind) {
    case 'dns':
      return 'every name in SLIPWAY_ACME_DOMAINS needs a DNS record (A or AAAA) that leads here';
    case 'connection':
    case 'tls':
      return `the authority must reach port ${port} of every name, and that must lead to ${own} of this server: see DNS (AAAA too), firewalls and port forwarding`;
    case 'unauthorized':
    case 'incorrectResponse':
      return `something else answers at port ${port} of the name, or the account has ended: see where DNS leads (AAAA too); "slipway tls renew --new-account" makes another account`;
    case 'caa':
      return 'a CAA record of the domain names other authorities only';
    case 'rateLimited':
      return 'the authority wants fewer orders; try settings with its staging directory first';
    case 'rejectedIdentifier':
    case 'unsupportedIdentifier':
      return 'the authority gives no certificate for a name in SLIPWAY_ACME_DOMAINS';
    case 'externalAccountRequired':
      return 'the authority wants an account of its own: set SLIPWAY_ACME_EAB_KID and SLIPWAY_ACME_EAB_KEY_FILE as it gave them to you';
    case 'invalidProfile':
      return 'SLIPWAY_ACME_PROFILE must be one that the authority offers';
    case 'invalidContact':
    case 'unsupportedContact':
      return 'SLIPWAY_ACME_EMAIL must be an address that the authority accepts';
    case 'userActionRequired':
      return 'the authority wants you to do something first, such as to agree to new terms';
    default:
      return 'see what the authority says';
  }
}
