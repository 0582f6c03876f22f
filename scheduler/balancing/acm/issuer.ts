import type { AcmeAuthority, Challenge, Ordered } from '@slipway/auth/acme';
import { AwsError, type Log } from '@slipway/auth/contract';
import { readPemCertificates } from '@slipway/auth/kit';
import type { Sealer } from '@slipway/auth/tokens';
import type { Clock } from '@slipway/storage/clock';
import { lead, type Leases } from '@slipway/storage/leases';
import { type Fence, project, type RecordStore, settledOrAborted } from '@slipway/storage/records';

import {
  type Balancers,
  balancingKeys,
  balancingPartition,
  keyPairPurpose,
  type RequestedRecord,
} from '../records/index.ts';
import { Bell, type EngineReports } from '../traffic/index.ts';

import { adviceFor, begun, givenUp, issued, nextOf, refused } from './issuing.ts';
import { OrderPace } from './order-pace.ts';
import { isUsed } from './users.ts';
import { type Imported, readImport } from './x509.ts';

export interface IssuerOptions {
  readonly account: string;
  readonly region: string;
  readonly records: RecordStore;
  readonly balancers: Balancers;
  readonly reports: Pick<EngineReports, 'settled'>;
  readonly authority: Pick<AcmeAuthority, 'order'>;
  readonly leases: Leases;
  readonly sealer: Sealer;
  readonly clock: Clock;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

const retryAfter = 1_000;
/** Timers hold no months. */
const longestWait = 3_600_000;
/** Orders at a time: one that the authority lets wait holds up few others. */
const mostAtOnce = 4;
/** What a token is made of (RFC 8555, section 8.3); it becomes part of a rule. */
const tokenForm = /^[\w-]{1,200}$/;

/** Has certificates issued that were requested, and renewed: one server of the installation at a time. */
export class CertificateIssuer {
  readonly #options: IssuerOptions;
  readonly #pace = new OrderPace();

  constructor(options: IssuerOptions) {
    this.#options = options;
  }

  /** Competes for the lease and keeps, again and again, until the signal aborts. */
  run(signal: AbortSignal): Promise<void> {
    const { account, leases, clock, log } = this.#options;
    return lead(
      leases,
      {
        partition: balancingPartition(account),
        name: balancingKeys.issuer,
        clock,
        signal,
        interrupted: (err) => log.warn({ account, err }, 'cannot look after certificates now; trying again'),
        retryAfter,
      },
      (lease, over) => this.#keep(lease, over),
    );
  }

  async #keep(fence: Fence, given: AbortSignal): Promise<void> {
    const { account, records, clock, log } = this.#options;
    const over = new AbortController();
    const signal = AbortSignal.any([given, over.signal]);
    const stirred = new Bell();
    const following = project(
      records,
      balancingPartition(account),
      {
        load: () => stirred.ring(),
        apply: () => stirred.ring(),
        interrupted: (err) => log.warn({ account, err }, 'cannot follow the load balancing; trying again'),
        retryAfter,
      },
      { clock, signal },
    );
    const running = new Map<string, Promise<void>>();
    try {
      while (!signal.aborted) await this.#round(fence, signal, stirred, running);
    } finally {
      // A round that failed ends the rest too: what follows would hold the lease for ever.
      over.abort();
      await Promise.all([following, ...running.values()]);
    }
  }

  /** Begins what is due, and waits for more. */
  async #round(fence: Fence, signal: AbortSignal, stirred: Bell, running: Map<string, Promise<void>>): Promise<void> {
    const { account, region, balancers, clock } = this.#options;
    const balancing = await balancers.read(account);
    const now = clock.now();
    let next = longestWait;
    const paused = this.#pace.wait(now);
    // Who has waited longest comes first.
    for (const record of balancing.all('requested').toSorted((a, b) => a.due - b.due)) {
      if (running.has(record.id)) continue;
      const step = nextOf(record, isUsed({ region, account }, balancing, record.id));
      if (step === undefined) continue;
      if (step.at > now) next = Math.min(next, step.at - now);
      else if (step.what === 'order' && paused > 0) next = Math.min(next, paused);
      // The end of one that runs rings.
      else if (running.size < mostAtOnce)
        running.set(
          record.id,
          this.#attempt(record.id, fence, signal).finally(() => {
            running.delete(record.id);
            stirred.ring();
          }),
        );
    }
    await stirred.wait(clock, next, signal);
  }

  /** Never rejects: what is wrong with the store leaves the order to the next attempt. */
  async #attempt(id: string, fence: Fence, signal: AbortSignal): Promise<void> {
    const { account, clock, log } = this.#options;
    try {
      const record = await this.#begin(id, fence);
      if (record !== undefined) await this.#order(record, fence, signal);
    } catch (err) {
      if (signal.aborted) return;
      log.warn({ account, certificate: id, err }, 'a certificate cannot be ordered now; trying again');
      // It may be due all the same, and its end rings.
      await clock.sleep(retryAfter, signal).catch(() => undefined);
    }
  }

  /** @returns the record when an order is due */
  async #begin(id: string, fence: Fence): Promise<RequestedRecord | undefined> {
    const { account, region, balancers } = this.#options;
    const { result } = await balancers.change(
      account,
      (draft) => {
        const record = draft.get('requested', id);
        const step = record && nextOf(record, isUsed({ region, account }, draft, id));
        if (record === undefined || step === undefined || step.at > draft.now) return undefined;
        const after = step.what === 'order' ? begun(record, draft.now) : givenUp(record);
        draft.put('requested', after);
        return after.state === 'timed-out' ? undefined : after;
      },
      fence,
    );
    return result;
  }

  async #order({ id, names, keyAlgorithm }: RequestedRecord, fence: Fence, signal: AbortSignal): Promise<void> {
    const { authority, clock, random, log } = this.#options;
    this.#pace.begin(clock.now());
    const ordered = await authority.order({
      names,
      key: keyAlgorithm,
      publish: async (challenges) => {
        // A name that was not asked for would become a rule of every listener.
        if (challenges.every(({ name, token }) => names.includes(name) && tokenForm.test(token)))
          await this.#publish(id, challenges, fence, signal);
      },
      signal,
    });
    const made = 'refused' in ordered ? ordered : readIssued(ordered, clock.now());
    if ('refused' in made) {
      if (made.refused === 'noAccount') this.#pace.takeBack();
      const after = await this.#change(id, fence, (record, now) => refused(record, made, now, random()));
      log.warn(
        { names, kind: made.refused, state: after?.state, again: after && new Date(after.due).toISOString() },
        `no certificate for ${names.join(', ')}: ${made.message}; ${adviceFor(made.refused)}`,
      );
      return;
    }
    await this.#take(id, made, fence);
    log.info({ names, until: new Date(made.details.notAfter).toISOString() }, 'a certificate was issued');
  }

  /** Has every engine answer challenges; servers answer them from the records. */
  async #publish(id: string, challenges: readonly Challenge[], fence: Fence, signal: AbortSignal): Promise<void> {
    const { account, balancers, reports } = this.#options;
    const answers = challenges.map(({ name, token, keyAuthorization }) => ({ name, token, answer: keyAuthorization }));
    const { balancing } = await balancers.change(
      account,
      (draft) => {
        const record = draft.get('requested', id);
        if (record !== undefined) draft.put('requested', { ...record, challenges: answers });
      },
      fence,
    );
    // An engine that does not answer may not be the one that is asked.
    const settled = reports.settled(account, balancing.generation).then(() => undefined);
    settled.catch(() => undefined);
    await settledOrAborted(settled, signal);
  }

  /** The certificate is there, unless its request is gone meanwhile. */
  async #take(id: string, { certificate, chain, privateKey, details }: Imported, fence: Fence): Promise<void> {
    const { account, balancers, sealer, random } = this.#options;
    await balancers.change(
      account,
      (draft) => {
        const record = draft.get('requested', id);
        if (record === undefined) return;
        const before = draft.get('certificate', id);
        const { domainName, names, createdAt } = record;
        draft.put('certificate', {
          ...details,
          domainName,
          names,
          id,
          tags: before?.tags ?? record.tags,
          createdAt,
          importedAt: draft.now,
        });
        draft.putKeyPair(id, {
          certificate,
          ...(chain === undefined ? {} : { chain }),
          sealedKey: sealer.seal(privateKey, keyPairPurpose(account, id)),
        });
        draft.put('requested', issued(record, details, draft.now, random()));
      },
      fence,
    );
  }

  async #change(
    id: string,
    fence: Fence,
    change: (record: RequestedRecord, now: number) => RequestedRecord,
  ): Promise<RequestedRecord | undefined> {
    const { account, balancers } = this.#options;
    const { balancing } = await balancers.change(
      account,
      (draft) => {
        const record = draft.get('requested', id);
        if (record !== undefined) draft.put('requested', change(record, draft.now));
      },
      fence,
    );
    return balancing.get('requested', id);
  }
}

/** What came from the authority, read as strictly as what is imported: what engines could not serve must not reach them. */
function readIssued(
  { chain, key }: Extract<Ordered, { chain: string }>,
  now: number,
): Imported | Extract<Ordered, { refused: string }> {
  try {
    const [leaf, ...authorities] = (readPemCertificates(chain) ?? []).map(String);
    return readImport(
      { certificate: leaf ?? '', privateKey: key, chain: authorities.length === 0 ? undefined : authorities.join('') },
      now,
    );
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    return {
      refused: 'unavailable',
      message: `the authority sent what cannot be served: ${error.message}`,
      retryAfterMs: undefined,
    };
  }
}
