import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Counter } from '@prometheus-io/client';
import { type Clock, settling, waitAtMost } from '@slipway/storage/clock';
import { type HeldLease, lead, type Leases } from '@slipway/storage/leases';
import { z } from 'zod';
import type { Log } from '../contract/index.ts';
import type { Outbound } from '../outbound/index.ts';
import { openAccount } from './account.ts';
import { serverNameOf } from './names.ts';
import { type Challenge, placeOrder } from './order.ts';
import { AcmeProblem, adviceFor, AuthorityUnavailable } from './problem.ts';
import { nextLook, orderTime, renewalTime, retryTime, suggestedTime, type Validity } from './schedule.ts';
import { AcmeSession, parsed, type Signer } from './session.ts';
import type { AcmeSettings } from './settings.ts';
import { acmePartition as partition } from './keys.ts';
import { type AcmeStore, settingsDigest, type StoredCertificate, type StoredChallenge } from './store.ts';
import { challengeCertificate, renewalIdentifier, requestCertificate } from './x509.ts';

export interface RenewerPorts {
  readonly settings: AcmeSettings;
  readonly externalKey: Uint8Array | undefined;
  readonly store: AcmeStore;
  readonly leases: Leases;
  readonly outbound: Outbound;
  readonly clock: Clock;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly orders: Counter<'result'>;
  /** Resolves when the records of this room have changed, or when the signal aborts. */
  readonly changed: (signal: AbortSignal) => Promise<void>;
}

const renewalInfo = z.object({
  suggestedWindow: z.object({ start: z.iso.datetime({ offset: true }), end: z.iso.datetime({ offset: true }) }),
  explanationURL: z.string().optional(),
});

const hour = 3_600_000;
/** Until every process has read a new challenge: the feeds of the record stores take milliseconds. */
const spreadMs = 1000;

type Facts = Awaited<ReturnType<AcmeStore['facts']>>;

/** Orders and renews on one server of the installation at a time, whoever holds the lease, until the signal aborts. */
export function keepRenewed(ports: RenewerPorts, signal: AbortSignal): Promise<void> {
  const { leases, clock, log } = ports;
  return lead(
    leases,
    {
      partition,
      name: 'orders',
      ttl: 15_000,
      clock,
      signal,
      interrupted: (err) => log.warn({ err }, 'certificates wait for the store'),
      // An order may have been begun whose end could not be written: its authority is not to suffer from our store.
      retryAfter: 5000,
      retryAtMost: 10 * 60_000,
    },
    (lease, until) => new Renewer(ports, lease, until).run(),
  );
}

class Renewer {
  readonly #ports: RenewerPorts;
  readonly #lease: HeldLease;
  readonly #signal: AbortSignal;

  constructor(ports: RenewerPorts, lease: HeldLease, signal: AbortSignal) {
    this.#ports = ports;
    this.#lease = lease;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    const { store, clock } = this.#ports;
    while (!this.#signal.aborted) {
      const wake = new AbortController();
      const changed = this.#ports.changed(AbortSignal.any([this.#signal, wake.signal]));
      const facts = await store.facts();
      const look = this.#lookAt(facts);
      const order = this.#orderAt(facts);
      const now = clock.now();
      if (order <= now) await this.#attempt(facts);
      else if (look <= now) await this.#look(facts);
      else {
        const ms = Math.min(order - now, look - now, hour);
        await waitAtMost(ms, settling(changed), clock, this.#signal);
      }
      wake.abort();
    }
  }

  #fits({ directory, names, profile }: StoredCertificate): boolean {
    const { settings } = this.#ports;
    return (
      directory === settings.directory &&
      profile === (settings.profile ?? null) &&
      [...names].sort().join() === [...settings.names].sort().join()
    );
  }

  #orderAt({ certificate, suggestion, trouble, request }: Facts): number {
    const suggested =
      suggestion !== undefined && certificate !== undefined && suggestion.certificate === fingerprintOf(certificate)
        ? suggestion.renewAt
        : null;
    return orderTime({
      certificate: certificate && { fits: this.#fits(certificate), renewAt: certificate.renewAt },
      suggestedAt: suggested ?? undefined,
      notBefore: trouble?.settings === settingsDigest(this.#ports.settings) ? trouble.again : undefined,
      requested: request !== undefined,
    });
  }

  #lookAt({ certificate, suggestion }: Facts): number {
    if (certificate === undefined || !this.#fits(certificate)) return Infinity;
    return suggestion?.certificate === fingerprintOf(certificate) ? suggestion.lookAgainAt : 0;
  }

  /** Asks when the authority wants the certificate renewed (RFC 9773); what goes wrong leaves the time as it was. */
  async #look({ certificate, suggestion }: Facts): Promise<void> {
    if (certificate === undefined) return;
    const { store, clock, random, log } = this.#ports;
    const validity = validityOf(certificate.chain);
    const fingerprint = fingerprintOf(certificate);
    let renewAt = suggestion?.certificate === fingerprint ? suggestion.renewAt : null;
    let retryAfterMs: number | undefined;
    try {
      const session = this.#session();
      const { renewalInfo: base } = await session.directory();
      const id = renewalIdentifier(certificate.chain);
      if (base !== undefined && id !== undefined) {
        const answer = await session.get(`${base.replace(/\/$/, '')}/${id}`);
        const { suggestedWindow, explanationURL } = parsed(renewalInfo, answer.text);
        const window = { start: Date.parse(suggestedWindow.start), end: Date.parse(suggestedWindow.end) };
        retryAfterMs = answer.retryAfterMs;
        // The time that was chosen in a window stays chosen.
        if (renewAt === null || renewAt < window.start || renewAt > window.end)
          renewAt = suggestedTime(window, validity, random());
        if (explanationURL !== undefined) log.info({ explanationURL }, 'the authority says why to renew');
      }
    } catch (err) {
      if (this.#signal.aborted || !isRefusal(err)) throw err;
      log.warn({ err }, 'the authority does not say when to renew; it is done when a third of the lifetime is left');
    }
    const lookAgainAt = nextLook(clock.now(), validity, retryAfterMs);
    await store.change(this.#lease, { suggestion: { certificate: fingerprint, renewAt, lookAgainAt } });
  }

  async #attempt(facts: Facts): Promise<void> {
    const { store, settings, clock, random, log, orders } = this.#ports;
    const { certificate, trouble, request } = facts;
    const meanwhile = certificate === undefined ? '; until it is there, clients find one that nobody trusts' : '';
    log.info({ names: settings.names, directory: settings.directory }, `ordering a certificate${meanwhile}`);
    try {
      if (request?.newAccount === true) await store.putAccount(this.#lease, settings, null);
      const made = await this.#order(certificate);
      const validity = validityOf(made.cert);
      await store.change(this.#lease, {
        certificate: {
          ...store.seal(made),
          directory: settings.directory,
          names: settings.names,
          profile: settings.profile ?? null,
          renewAt: renewalTime(validity, random()),
        },
        suggestion: null,
        trouble: null,
        request: null,
      });
      orders.inc({ result: 'issued' });
      const { issuer, validTo } = new X509Certificate(made.cert);
      log.info({ names: settings.names, issuer, validTo }, 'a new certificate is served from now on');
    } catch (error) {
      if (this.#signal.aborted || !isRefusal(error)) throw error;
      orders.inc({ result: 'failed' });
      const mine = settingsDigest(settings);
      const failures = (trouble?.settings === mine ? trouble.failures : 0) + 1;
      const validity = certificate && validityOf(certificate.chain);
      const retryAfterMs = error instanceof AcmeProblem ? error.retryAfterMs : undefined;
      const now = clock.now();
      const again = retryTime(now, failures, validity, retryAfterMs, random());
      const kind = error instanceof AcmeProblem ? error.kind : 'unavailable';
      const said = { message: error.message, advice: adviceFor(error, settings) };
      await store.change(this.#lease, {
        trouble: { settings: mine, failures, at: now, again, kind, ...said },
        request: null,
      });
      const state =
        validity === undefined ? 'there is no certificate' : `the one until ${iso(validity.notAfter)} stays`;
      const urgent = validity === undefined || validity.notAfter - now < (validity.notAfter - validity.notBefore) / 6;
      log[urgent ? 'error' : 'warn'](
        { kind, failures, again: iso(again), ...said },
        `no new certificate: ${said.message}. ${said.advice[0]?.toUpperCase()}${said.advice.slice(1)}. Until then ${state}`,
      );
    } finally {
      if (!this.#signal.aborted) await store.putChallenges(this.#lease, new Map());
    }
  }

  /** An account that the authority no longer knows is made anew, once. */
  async #order(previous: StoredCertificate | undefined): Promise<{ cert: string; key: string }> {
    const { store, settings, externalKey } = this.#ports;
    const session = this.#session();
    const open = (): Promise<Signer> => openAccount({ session, store, settings, externalKey, fence: this.#lease });
    try {
      return await this.#place(session, await open(), previous);
    } catch (error) {
      if (!(error instanceof AcmeProblem && error.kind === 'accountDoesNotExist')) throw error;
      await store.putAccount(this.#lease, settings, null);
      return this.#place(session, await open(), previous);
    }
  }

  async #place(
    session: AcmeSession,
    account: Signer,
    previous: StoredCertificate | undefined,
  ): Promise<{ cert: string; key: string }> {
    const { settings, clock } = this.#ports;
    const { names, challenge, profile, directory } = settings;
    const replaceable =
      previous?.directory === directory && (await session.directory()).renewalInfo !== undefined
        ? renewalIdentifier(previous.chain)
        : undefined;
    const { request, key } = await requestCertificate(names);
    const cert = await placeOrder({
      session,
      account,
      names,
      challenge,
      profile,
      replaces: replaceable,
      request,
      publish: (challenges) => this.#publish(challenges),
      clock,
      signal: this.#signal,
    });
    if (!belongs(cert, key)) throw new AuthorityUnavailable('the authority sent a certificate for another key');
    return { cert, key };
  }

  async #publish(challenges: readonly Challenge[]): Promise<void> {
    const { settings, store, clock } = this.#ports;
    const answers = challenges.map(async ({ name, token, keyAuthorization }): Promise<[string, StoredChallenge]> => {
      if (settings.challenge === 'http-01') return [token, { type: 'http-01', answer: keyAuthorization }];
      const proof = await challengeCertificate(name, keyAuthorization, clock.now());
      return [serverNameOf(name), { type: 'tls-alpn-01', ...proof }];
    });
    await store.putChallenges(this.#lease, new Map(await Promise.all(answers)));
    // HTTP-01 is answered from the store itself; handshakes are answered from memory.
    if (settings.challenge === 'tls-alpn-01') await clock.sleep(spreadMs, this.#signal);
  }

  #session(): AcmeSession {
    const { settings, outbound, clock } = this.#ports;
    return new AcmeSession({ directory: settings.directory, outbound, clock, signal: this.#signal });
  }
}

/** What the authority or the way to it is to blame for; anything else is about our store or our code. */
export const isRefusal = (error: unknown): error is AcmeProblem | AuthorityUnavailable =>
  error instanceof AcmeProblem || error instanceof AuthorityUnavailable;

/** Whether a certificate is for a key. */
export function belongs(cert: string, key: string): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

const fingerprintOf = ({ chain }: StoredCertificate): string => new X509Certificate(chain).fingerprint256;

function validityOf(chain: string): Validity {
  const { validFromDate, validToDate } = new X509Certificate(chain);
  return { notBefore: validFromDate.getTime(), notAfter: validToDate.getTime() };
}

const iso = (time: number): string => new Date(time).toISOString();
