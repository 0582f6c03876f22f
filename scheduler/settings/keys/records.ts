import type { Tags } from '@slipway/auth/kit';
import { definePartition, type OwnedRows } from '@slipway/storage/records';

/** One of the materials that a key has had; the bytes are a row of their own. */
export interface KeyMaterial {
  /** Counted from 1; what was encrypted says it, and is decrypted with it for as long as the key is there. */
  readonly version: number;
  /** 64 hexadecimal digits. */
  readonly id: string;
  /** Milliseconds since the epoch, as all times of records. */
  readonly createdAt: number;
  readonly cause: 'CREATED' | 'AUTOMATIC' | 'ON_DEMAND';
}

/**
 * Looks, an hour apart, that must find the time of what is being deleted over, one after the other, until it is gone for good: what a clock that
 * is wrong hides for less than a day is there again when somebody has set it right.
 */
export const looksUntilGone = 24;

/** A symmetric key without its materials. */
export interface KeyRecord {
  readonly id: string;
  /** The service that uses it for whoever names no key; undefined for a key that somebody made. */
  readonly service?: ManagedService;
  readonly description: string;
  readonly enabled: boolean;
  /** With principals by their unique ids. */
  readonly policy: string;
  readonly tags: Tags;
  readonly aliases: readonly string[];
  readonly createdAt: number;
  /** When its materials may be destroyed. */
  readonly deletionAt?: number;
  /** How many looks in turn have found that that is over: see {@link looksUntilGone}. */
  readonly overLooks?: number;
  /** Days between rotations, and when the next one is due. */
  readonly rotation?: { readonly days: number; readonly nextAt: number };
  /** Oldest first; never empty. The last one encrypts. */
  readonly materials: readonly KeyMaterial[];
}

/** The bytes of a material, sealed with the installation's key. */
export interface SealedMaterial {
  readonly sealed: string;
}

/** A name for a key: `alias/prod`. */
export interface AliasRecord {
  readonly name: string;
  readonly keyId: string;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** Services that encrypt with a key of their own when none is named. */
export const managedServices = ['secretsmanager', 'ssm'] as const;
export type ManagedService = (typeof managedServices)[number];

export const managedAlias = (service: ManagedService): string => `alias/aws/${service}`;

const keys = definePartition('keys/<account>', 'the keys of KMS of one account');
export const keysPartition = keys.name;

/** In the account's partition. */
export const keyKeys = {
  key: (id: string): string => `key/${id}`,
  keys: 'key/',
  material: (id: string, version: number): string => `material/${id}|${version}`,
  materials: 'material/',
  alias: (name: string): string => `alias-of/${name}`,
  aliases: 'alias-of/',
  signingKey: 'signing-key',
} as const;

export const keyRows: OwnedRows = {
  partition: keys,
  owner: 'scheduler/settings/keys',
  keys: [keyKeys.keys, keyKeys.materials, keyKeys.aliases, keyKeys.signingKey],
};
