import type { Clock } from '@slipway/storage/clock';
import type { RecordStore } from '@slipway/storage/records';
import type { Sealer } from '../tokens/index.ts';
import { knownAccount } from './account.ts';
import { outboundTo, readAuthorities } from './certificates.ts';
import { type Challenge, placeOrder } from './order.ts';
import { AcmeProblem } from './problem.ts';
import { belongs, isRefusal } from './renewer.ts';
import { AcmeSession } from './session.ts';
import type { AcmeSettings } from './settings.ts';
import { AcmeStore } from './store.ts';
import { type KeyKind, requestCertificate } from './x509.ts';

export interface AuthorityOptions {
  readonly settings: AcmeSettings;
  readonly records: RecordStore;
  readonly sealer: Sealer;
  readonly clock: Clock;
}

/** A certificate that somebody else than the installation wants. */
export interface CertificateOrder {
  /** DNS names in lower case, no wildcards. */
  readonly names: readonly string[];
  readonly key: KeyKind;
  /** Makes HTTP-01 challenges answerable (RFC 8555, section 8.3); resolves when they are. */
  readonly publish: (challenges: readonly Challenge[]) => Promise<void>;
  readonly signal: AbortSignal;
}

/** What became of an order. */
export type Ordered =
  | {
      /** PEM, the certificate that was ordered first. */
      readonly chain: string;
      /** PEM (PKCS #8). */
      readonly key: string;
    }
  | {
      /** A registered type of problem without its prefix, `unavailable`, or `noAccount`. */
      readonly refused: string;
      readonly message: string;
      /** How long the authority wants to be left alone, in milliseconds. */
      readonly retryAfterMs: number | undefined;
    };

/** The authority of the settings, for certificates beside that of the installation. */
export interface AcmeAuthority {
  /** The names of the installation's own certificate. */
  readonly ownNames: readonly string[];
  /** Orders a certificate with a new key. Rejects only for what is wrong with the store, or when the signal aborts. */
  order(order: CertificateOrder): Promise<Ordered>;
  close(): Promise<void>;
}

/**
 * Opens the authority with the account that the installation has for its own certificate: some authorities bind an external account
 * only once. Who renews that certificate makes the account, and alone writes it.
 * @throws AcmeSettingsError when a file that the settings name cannot be used
 */
export function openAuthority({ settings, records, sealer, clock }: AuthorityOptions): AcmeAuthority {
  const { authoritiesFile, directory, names: ownNames, profile } = settings;
  const outbound = outboundTo(authoritiesFile === undefined ? undefined : readAuthorities(authoritiesFile));
  const store = new AcmeStore(records, sealer);
  const place = async ({ names, key: kind, publish, signal }: CertificateOrder): Promise<Ordered> => {
    const account = await knownAccount(store, settings);
    if (account === undefined)
      return {
        refused: 'noAccount',
        message: `the installation has no account at ${directory} yet: it comes with its own certificate`,
        retryAfterMs: undefined,
      };
    const { request, key } = await requestCertificate(names, kind);
    const chain = await placeOrder({
      session: new AcmeSession({ directory, outbound, clock, signal }),
      account,
      names,
      challenge: 'http-01',
      profile,
      replaces: undefined,
      request,
      publish,
      clock,
      signal,
    });
    return belongs(chain, key)
      ? { chain, key }
      : {
          refused: 'unavailable',
          message: 'the authority sent a certificate for another key',
          retryAfterMs: undefined,
        };
  };
  return {
    ownNames,
    async order(order) {
      try {
        return await place(order);
      } catch (error) {
        if (order.signal.aborted || !isRefusal(error)) throw error;
        const isProblem = error instanceof AcmeProblem;
        return {
          refused: isProblem ? error.kind : 'unavailable',
          message: error.message,
          retryAfterMs: isProblem ? error.retryAfterMs : undefined,
        };
      }
    },
    close: () => outbound.close(),
  };
}
