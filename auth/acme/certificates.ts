import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import { Counter, type Registry } from '@prometheus-io/client';
import type { Clock } from '@slipway/storage/clock';
import type { Leases } from '@slipway/storage/leases';
import { Bell, project, type RecordChange, type RecordStore, settledOrAborted } from '@slipway/storage/records';
import type { CertificateSource, KeyPair } from '../gateway/index.ts';
import type { Log } from '../contract/index.ts';
import { createOutbound } from '../outbound/index.ts';
import type { Sealer } from '../tokens/index.ts';
import { openHttpResponder } from './http-responder.ts';
import { keepRenewed } from './renewer.ts';
import { type AcmeSettings, AcmeSettingsError } from './settings.ts';
import { acmePartition as partition } from './keys.ts';
import { AcmeStore } from './store.ts';
import { placeholder } from './x509.ts';

export interface AcmeOptions {
  readonly settings: AcmeSettings;
  readonly records: RecordStore;
  readonly leases: Leases;
  readonly sealer: Sealer;
  readonly clock: Clock;
  /** Numbers in [0, 1): jitter. */
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: Registry;
}

/** Certificates from an authority, for one process. Every process serves them; one of each server calls {@link renew}. */
export interface AcmeCertificates extends CertificateSource {
  /**
   * Answers challenges, and orders and renews whenever this server is the one that does.
   * @param where answers HTTP-01 there and sends others to the endpoints (`host[:port]`)
   * @param beside answers to tokens of challenges that are not of this certificate
   * @throws ListenError that says what to do
   */
  renew(
    where: { readonly host: string; readonly endpoints: readonly string[] },
    beside: (token: string) => Promise<string | undefined>,
  ): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the certificate of an installation. While there is none, a placeholder is served that nobody trusts.
 * @throws AcmeSettingsError when a file that the settings name cannot be used
 */
export async function openAcme(options: AcmeOptions): Promise<AcmeCertificates> {
  const { settings, clock } = options;
  const externalKey = settings.externalAccount && readExternalKey(settings.externalAccount.keyFile);
  const ca = settings.authoritiesFile === undefined ? undefined : readAuthorities(settings.authoritiesFile);
  const certificates = new Certificates(options, await placeholder(settings.names, clock.now()), externalKey, ca);
  await certificates.open();
  return certificates;
}

class Certificates implements AcmeCertificates {
  current: KeyPair;
  readonly #options: AcmeOptions;
  readonly #store: AcmeStore;
  readonly #externalKey: Uint8Array | undefined;
  readonly #ca: string | undefined;
  readonly #orders: Counter<'result'>;
  readonly #listeners = new Set<(pair: KeyPair) => void>();
  readonly #closing = new AbortController();
  readonly #bell = new Bell();
  #proofs: ReadonlyMap<string, SecureContext> = new Map();
  #work: (() => Promise<unknown>)[] = [];

  constructor(options: AcmeOptions, current: KeyPair, externalKey: Uint8Array | undefined, ca: string | undefined) {
    this.#options = options;
    this.#store = new AcmeStore(options.records, options.sealer);
    this.current = current;
    this.#externalKey = externalKey;
    this.#ca = ca;
    this.#orders = new Counter({
      name: 'slipway_acme_orders_total',
      help: 'Certificates ordered by ACME, by result',
      labelNames: ['result'],
      registers: [options.metrics],
    });
    for (const result of ['issued', 'failed'] as const) this.#orders.inc({ result }, 0);
  }

  get challenge(): ((name: string) => SecureContext | undefined) | undefined {
    return this.#options.settings.challenge === 'tls-alpn-01'
      ? (name) => this.#proofs.get(name.toLowerCase())
      : undefined;
  }

  onChange(listener: (pair: KeyPair) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async open(): Promise<void> {
    // What cannot be read at the start ends it.
    await this.#load();
    const following = this.#follow();
    this.#work.push(() => following);
  }

  async renew(
    { host, endpoints }: { host: string; endpoints: readonly string[] },
    beside: (token: string) => Promise<string | undefined>,
  ): Promise<void> {
    const { settings, leases, clock, random, log } = this.#options;
    if (settings.challenge === 'http-01') {
      const answer = async (token: string): Promise<string | undefined> =>
        (await this.#store.httpAnswer(token)) ?? beside(token);
      const responder = await openHttpResponder({ host, port: settings.httpPort, answer, endpoints });
      this.#work.push(() => responder.close());
    }
    const outbound = outboundTo(this.#ca);
    const renewing = keepRenewed(
      {
        settings,
        externalKey: this.#externalKey,
        store: this.#store,
        leases,
        outbound,
        clock,
        random,
        log,
        orders: this.#orders,
        changed: (signal) => settledOrAborted(this.#bell.next(), signal),
      },
      this.#closing.signal,
    );
    this.#work.push(async () => {
      await renewing;
      await outbound.close();
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#work.splice(0).map((end) => end()));
  }

  #follow(): Promise<void> {
    const { records, clock, log } = this.#options;
    const take = async (): Promise<void> => {
      await this.#load();
      this.#bell.ring();
    };
    const projection = {
      load: take,
      apply: (changes: readonly RecordChange[]) => (changes.some(isOurs) ? take() : undefined),
      interrupted: (err: unknown) => log.warn({ err }, 'new certificates cannot be read; what is served stays'),
      retryAfter: 5000,
    };
    return project(records, partition, projection, { clock, signal: this.#closing.signal });
  }

  /** Takes over what the records hold. */
  async #load(): Promise<void> {
    const { certificate } = await this.#store.facts();
    if (certificate !== undefined && certificate.chain !== this.current.cert) {
      const pair = this.#store.open(certificate);
      createSecureContext(pair);
      this.current = pair;
      for (const listener of this.#listeners) listener(pair);
    }
    const answers = this.challenge === undefined ? new Map<string, KeyPair>() : await this.#store.tlsAnswers();
    this.#proofs = new Map([...answers].map(([name, pair]) => [name, createSecureContext(pair)]));
  }
}

/** Renewals of the lease lie in the same partition and say nothing. */
const isOurs = ({ key }: RecordChange): boolean => !key.startsWith('$');

function readExternalKey(file: string): Uint8Array {
  const text = read(file, 'SLIPWAY_ACME_EAB_KEY_FILE').trim();
  if (!/^[\w+/-]+={0,2}$/.test(text))
    throw new AcmeSettingsError(
      `SLIPWAY_ACME_EAB_KEY_FILE: ${file} does not hold a key in base64url, as authorities give it out`,
    );
  return Buffer.from(text, 'base64url');
}

/** Requests to the directory of the settings, which is the operator's choice, wherever it is. */
export const outboundTo = (ca: string | undefined): ReturnType<typeof createOutbound> =>
  createOutbound({ allow: ['0.0.0.0/0', '::/0'], ...(ca !== undefined && { ca }) });

/** @throws AcmeSettingsError */
export function readAuthorities(file: string): string {
  const text = read(file, 'SLIPWAY_ACME_CA_FILE');
  try {
    createSecureContext({ ca: text });
    if (text.includes('BEGIN CERTIFICATE')) return text;
  } catch {
    // Said below.
  }
  throw new AcmeSettingsError(`SLIPWAY_ACME_CA_FILE: ${file} holds no certificate (PEM)`);
}

function read(file: string, setting: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new AcmeSettingsError(`${setting}: ${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
}
