import { exportJWK, generateKeyPair, importJWK, type CryptoKey, type JWK } from 'jose';
import type { Clock } from '@slipway/storage/clock';
import {
  ConditionFailed,
  definePartition,
  type Json,
  type OwnedRows,
  type RecordStore,
} from '@slipway/storage/records';
import { ALGORITHM, tokenUses } from './uses.ts';

/** Encrypts what must not be readable in the record store, with a key that is kept elsewhere. */
export interface Sealer {
  /** @param purpose bound to the sealed text: it opens only for the same purpose */
  seal(plain: string, purpose: string): string;
  /** @throws when the text was changed, sealed for another purpose, or sealed with another key */
  open(sealed: string, purpose: string): string;
}

export interface SigningKeysOptions {
  readonly records: RecordStore;
  readonly clock: Pick<Clock, 'now'>;
  readonly sealer: Sealer;
  /** How long a key signs, in seconds. Default 30 days. */
  readonly rotateSeconds?: number;
}

/** One key pair as a record; `privateJwk` is sealed. */
interface KeyRecord {
  readonly kid: string;
  readonly publicJwk: JWK;
  readonly privateJwk: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

interface LoadedKey {
  readonly kid: string;
  readonly createdAt: number;
  readonly publicKey: CryptoKey;
  readonly privateKey: CryptoKey;
}

const PREFIX = 'key/';
const partition = definePartition('tokens', 'the keys that sign tokens of docker logins');
export const tokenRows: OwnedRows = { partition, owner: 'auth/tokens', keys: [PREFIX] };
const PARTITION = partition.name();
/** A new key waits this long before it signs, so that every server has read it by then. */
const SETTLE_MS = 60_000;
/** Unknown key ids are looked up in the store at most this often, however many arrive. */
const RELOAD_MS = 1000;

const longestLifeMs = Math.max(...Object.values(tokenUses).map((use) => use.maxSeconds)) * 1000;

/**
 * The token service's keys: shared through the record store, rotated with overlap. A key signs for `rotateSeconds` and
 * verifies until the last token it signed has ended; then its record is removed.
 */
export class SigningKeys {
  readonly #options: SigningKeysOptions;
  readonly #rotateMs: number;
  #keys: ReadonlyMap<string, LoadedKey> = new Map();
  #loadedAt = -Infinity;
  #loading: Promise<void> | undefined;

  constructor(options: SigningKeysOptions) {
    this.#options = options;
    this.#rotateMs = (options.rotateSeconds ?? 30 * 24 * 3600) * 1000;
  }

  /** The key that signs now; makes one when there is none, and its successor when it is about to end. */
  async signing(): Promise<{ readonly kid: string; readonly privateKey: CryptoKey }> {
    const now = this.#options.clock.now();
    let key = this.#newest(now);
    if (key === undefined || now > key.createdAt + this.#rotateMs - SETTLE_MS || this.#stale(now)) {
      await this.#load();
      key = this.#newest(now);
      const youngest = Math.max(-Infinity, ...[...this.#keys.values()].map(({ createdAt }) => createdAt));
      if (now > youngest + this.#rotateMs - 2 * SETTLE_MS) {
        await this.#create(now);
        key = this.#newest(now);
      }
    }
    if (key === undefined) throw new Error('no signing key could be made');
    return key;
  }

  /** The public key of a key id; undefined when it is unknown or retired. */
  async verifying(kid: string): Promise<CryptoKey | undefined> {
    const now = this.#options.clock.now();
    if (!this.#keys.has(kid) && now >= this.#loadedAt + RELOAD_MS) await this.#load();
    const key = this.#keys.get(kid);
    return key === undefined || now > key.createdAt + this.#rotateMs + longestLifeMs ? undefined : key.publicKey;
  }

  /** The youngest key that has settled, or the only one there is. */
  #newest(now: number): LoadedKey | undefined {
    const keys = [...this.#keys.values()].sort((a, b) => b.createdAt - a.createdAt);
    return keys.find(({ createdAt }) => createdAt + SETTLE_MS <= now) ?? keys[keys.length - 1];
  }

  #stale(now: number): boolean {
    return now >= this.#loadedAt + SETTLE_MS / 2;
  }

  #load(): Promise<void> {
    this.#loading ??= this.#read().finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  async #read(): Promise<void> {
    const { records, sealer, clock } = this.#options;
    const keys = new Map<string, LoadedKey>();
    const { records: stored } = await records.list<KeyRecord & Json>(PARTITION, { prefix: PREFIX });
    const retired: string[] = [];
    for (const { key, value } of stored) {
      if (clock.now() > value.createdAt + this.#rotateMs + longestLifeMs) retired.push(key);
      else keys.set(value.kid, this.#keys.get(value.kid) ?? (await importRecord(value, sealer)));
    }
    this.#keys = keys;
    this.#loadedAt = clock.now();
    if (retired.length > 0) await records.commit(PARTITION, { remove: retired });
  }

  async #create(now: number): Promise<void> {
    const { records, sealer } = this.#options;
    const pair = await generateKeyPair(ALGORITHM, { extractable: true, crv: 'Ed25519' });
    // The name is the generation: two servers that rotate at the same time agree on one key.
    const kid = `k${String(this.#keys.size === 0 ? 0 : 1 + Math.max(...[...this.#keys.keys()].map(generationOf))).padStart(8, '0')}`;
    const value: KeyRecord = {
      kid,
      publicJwk: await exportJWK(pair.publicKey),
      privateJwk: sealer.seal(JSON.stringify(await exportJWK(pair.privateKey)), `token-key/${kid}`),
      createdAt: now,
    };
    const key = `${PREFIX}${kid}`;
    try {
      await records.commit(PARTITION, {
        require: [{ key, exists: false }],
        put: [{ key, value: { ...value } as unknown as Json }],
      });
    } catch (error) {
      if (!(error instanceof ConditionFailed)) throw error;
    }
    await this.#load();
  }
}

const generationOf = (kid: string): number => Number(kid.slice(1));

async function importRecord(record: KeyRecord, sealer: Sealer): Promise<LoadedKey> {
  const privateJwk = JSON.parse(sealer.open(record.privateJwk, `token-key/${record.kid}`)) as JWK;
  const [publicKey, privateKey] = await Promise.all([
    importJWK(record.publicJwk, ALGORITHM),
    importJWK(privateJwk, ALGORITHM),
  ]);
  return {
    kid: record.kid,
    createdAt: record.createdAt,
    publicKey: publicKey as CryptoKey,
    privateKey: privateKey as CryptoKey,
  };
}
