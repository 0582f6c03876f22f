import type { Tags } from '@slipway/auth/kit';
import { definePartition, type OwnedRows } from '@slipway/storage/records';

export type ParameterType = 'String' | 'StringList' | 'SecureString';
export type ParameterTier = 'Standard' | 'Advanced';

/** What one version of a parameter is, beside its value. */
export interface ParameterVersion {
  /** Counted from 1. */
  readonly version: number;
  readonly type: ParameterType;
  readonly tier: ParameterTier;
  readonly description?: string;
  readonly allowedPattern?: string;
  /** Of a SecureString: the key as it was named, and its ARN; undefined for that of Parameter Store itself. */
  readonly keyId?: string;
  readonly key?: string;
  /** Milliseconds since the epoch, as all times of records. */
  readonly modifiedAt: number;
  /** The ARN of who put it. */
  readonly modifiedBy: string;
  readonly labels: readonly string[];
}

/** A parameter without its values. */
export interface ParameterRecord {
  /** As it was made: `/prod/db`, or `db`. */
  readonly name: string;
  readonly tags: Tags;
  /** Oldest first; never empty. */
  readonly versions: readonly ParameterVersion[];
}

/** The value of a version, sealed, whatever its type. */
export interface SealedParameter {
  /** A ciphertext of KMS if it is `keyed`; else sealed with the installation's key. */
  readonly sealed: string;
  readonly keyed?: true;
}

const parameters = definePartition('parameters/<account>', 'the parameters of one account');
export const parametersPartition = parameters.name;

/** `/db` and `db` have one ARN, and so they are one key. */
const bare = (name: string): string => (name.startsWith('/') ? name.slice(1) : name);

/** In the account's partition. `|` is in no name. */
export const parameterKeys = {
  parameter: (name: string): string => `parameter/${bare(name)}`,
  parameters: 'parameter/',
  /** What lies below a path. */
  below: (path: string): string => (bare(path) === '' ? 'parameter/' : `parameter/${bare(path).replace(/\/$/, '')}/`),
  value: (name: string, version: number): string => `value/${bare(name)}|${version}`,
  values: 'value/',
  signingKey: 'signing-key',
} as const;

export const parameterRows: OwnedRows = {
  partition: parameters,
  owner: 'scheduler/settings/parameters',
  keys: [parameterKeys.parameters, parameterKeys.values, parameterKeys.signingKey],
};
