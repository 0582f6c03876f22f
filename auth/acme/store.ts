import { createHash } from 'node:crypto';
import type { Fence, Json, RecordStore } from '@slipway/storage/records';
import type { KeyPair } from '../gateway/index.ts';
import type { Sealer } from '../tokens/index.ts';
import { acmeKeys, acmePartition as partition } from './keys.ts';
import type { AcmeSettings } from './settings.ts';

/** The certificate that is served. The key is sealed. */
export interface StoredCertificate {
  /** PEM, the server's own first. */
  readonly chain: string;
  readonly key: string;
  readonly directory: string;
  readonly names: readonly string[];
  readonly profile: string | null;
  /** When to renew it unless the authority suggests another time. */
  readonly renewAt: number;
}

/** What the authority suggests for one certificate. */
export interface StoredSuggestion {
  readonly certificate: string;
  readonly renewAt: number | null;
  readonly lookAgainAt: number;
}

/** Orders that failed, the last one's reason, and when the next is due. */
export interface Trouble {
  /** Of which settings; with others, nothing is held back. */
  readonly settings: string;
  readonly failures: number;
  readonly at: number;
  readonly again: number;
  readonly kind: string;
  readonly message: string;
  readonly advice: string;
}

/** Somebody asked for a new certificate now. */
export interface RenewalRequest {
  readonly at: number;
  readonly newAccount: boolean;
}

/** An account at an authority; the key, a JWK, is sealed. Until the authority has answered there is no URL. */
export interface StoredAccount {
  readonly key: string;
  readonly url: string | null;
  readonly email: string | null;
}

/** What every server must be able to answer while an order is under way. */
export type StoredChallenge =
  | { readonly type: 'http-01'; readonly answer: string }
  | { readonly type: 'tls-alpn-01'; readonly cert: string; readonly key: string };

interface Facts {
  certificate: StoredCertificate;
  suggestion: StoredSuggestion;
  trouble: Trouble;
  request: RenewalRequest;
}

/** Changes of one commit: a value, or `null` to remove. */
export type FactChanges = { readonly [K in keyof Facts]?: Facts[K] | null };

/** Reads and writes the records of this room. */
export class AcmeStore {
  readonly #records: RecordStore;
  readonly #sealer: Sealer;

  constructor(records: RecordStore, sealer: Sealer) {
    this.#records = records;
    this.#sealer = sealer;
  }

  async facts(): Promise<Partial<Facts>> {
    const found = await this.#records.getMany(partition, Object.values(acmeKeys.facts));
    return Object.fromEntries([...found].map(([name, { value }]) => [name, value])) as unknown as Partial<Facts>;
  }

  async change(fence: Fence, changes: FactChanges): Promise<void> {
    const put = Object.entries(changes).flatMap(([key, value]) =>
      value === null || value === undefined ? [] : [{ key, value: value as unknown as Json }],
    );
    const remove = Object.entries(changes).flatMap(([key, value]) => (value === null ? [key] : []));
    await this.#records.commit(partition, { put, remove, fence: { name: fence.name, epoch: fence.epoch } });
  }

  seal(pair: KeyPair): { readonly chain: string; readonly key: string } {
    return { chain: pair.cert, key: this.#sealer.seal(pair.key, 'acme/certificate') };
  }

  /** @throws when the key was sealed with another installation's key */
  open({ chain, key }: StoredCertificate): KeyPair {
    return { cert: chain, key: this.#sealer.open(key, 'acme/certificate') };
  }

  async account(settings: AcmeSettings): Promise<StoredAccount | undefined> {
    const key = accountKey(settings);
    const stored = (await this.#records.get(partition, key))?.value as unknown as StoredAccount | undefined;
    return stored && { ...stored, key: this.#sealer.open(stored.key, key) };
  }

  async putAccount(fence: Fence, settings: AcmeSettings, account: StoredAccount | null): Promise<void> {
    const key = accountKey(settings);
    const { name, epoch } = fence;
    await this.#records.commit(partition, {
      ...(account === null
        ? { remove: [key] }
        : { put: [{ key, value: { ...account, key: this.#sealer.seal(account.key, key) } }] }),
      fence: { name, epoch },
    });
  }

  /** Replaces all challenges that can be answered. @param challenges by token (`http-01`) or server name (`tls-alpn-01`) */
  async putChallenges(fence: Fence, challenges: ReadonlyMap<string, StoredChallenge>): Promise<void> {
    const { records } = await this.#records.list(partition, { prefix: acmeKeys.challenges });
    const put = [...challenges].map(([name, challenge]) => {
      const key = acmeKeys.challenge(name);
      const sealed = challenge.type === 'http-01' ? {} : { key: this.#sealer.seal(challenge.key, key) };
      return { key, value: { ...challenge, ...sealed } as Json };
    });
    const remove = records.map(({ key }) => key).filter((key) => put.every((other) => other.key !== key));
    if (put.length + remove.length === 0) return;
    await this.#records.commit(partition, { put, remove, fence: { name: fence.name, epoch: fence.epoch } });
  }

  async httpAnswer(token: string): Promise<string | undefined> {
    const found = await this.#records.get(partition, acmeKeys.challenge(token));
    const challenge = found?.value as unknown as StoredChallenge | undefined;
    return challenge?.type === 'http-01' ? challenge.answer : undefined;
  }

  /** Certificates that prove names by TLS-ALPN-01, by server name. */
  async tlsAnswers(): Promise<ReadonlyMap<string, KeyPair>> {
    const { records } = await this.#records.list(partition, { prefix: acmeKeys.challenges });
    return new Map(
      records.flatMap(({ key, value }): [string, KeyPair][] => {
        const challenge = value as unknown as StoredChallenge;
        if (challenge.type !== 'tls-alpn-01') return [];
        return [
          [key.slice(acmeKeys.challenges.length), { cert: challenge.cert, key: this.#sealer.open(challenge.key, key) }],
        ];
      }),
    );
  }
}

/** Accounts differ by authority and by what they are bound to. */
function accountKey({ directory, externalAccount }: AcmeSettings): string {
  return acmeKeys.account(digest([directory, externalAccount?.keyId]));
}

/** Tells settings apart: what failed with some may work with others. */
export const settingsDigest = (settings: AcmeSettings): string =>
  digest([
    settings.directory,
    settings.names,
    settings.email,
    settings.externalAccount,
    settings.authoritiesFile,
    settings.challenge,
    settings.httpPort,
    settings.profile,
  ]);

const digest = (of: unknown): string =>
  createHash('sha256').update(JSON.stringify(of)).digest('base64url').slice(0, 22);

/** Has a running server order a new certificate now, whatever holds the next order back; one that starts later does it then. */
export async function requestRenewal(records: RecordStore, request: RenewalRequest): Promise<void> {
  await records.commit(partition, { put: [{ key: acmeKeys.facts.request, value: { ...request } }] });
}

/** Why there is no new certificate, for administration; undefined when nothing has failed since the last one. */
export async function readTrouble(records: RecordStore): Promise<Trouble | undefined> {
  return (await records.get(partition, acmeKeys.facts.trouble))?.value as unknown as Trouble | undefined;
}
