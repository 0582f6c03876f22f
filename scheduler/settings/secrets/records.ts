import type { Tags } from '@slipway/auth/kit';
import { definePartition, type OwnedRows } from '@slipway/storage/records';

import type { Delegate } from '../../state/index.ts';

/** A version of a secret; its value is a row of its own. */
export interface SecretVersion {
  /** What the client called it, or a random id. */
  readonly id: string;
  /** Staging labels: each is on one version of a secret at most. */
  readonly stages: readonly string[];
  /** Milliseconds since the epoch, as all times of records. */
  readonly createdAt: number;
  /** The ARN of the key that its value is kept with, unless that is the one of Secrets Manager itself. */
  readonly key?: string;
}

export type RotationStep = 'createSecret' | 'setSecret' | 'testSecret' | 'finishSecret';

/** When a secret is rotated: so many days after the last time, or as a `rate(…)` or `cron(…)` says; and for how many hours it is tried. */
export interface RotationRules {
  readonly days?: number;
  readonly schedule?: string;
  readonly hours?: number;
}

/** A rotation that is under way. */
export interface RotationRun {
  /** The id of the new version, which is AWSPENDING. */
  readonly token: string;
  readonly step: RotationStep;
  /** Counted from 1; a step that failed begins the rotation anew. */
  readonly attempt: number;
  readonly startedAt: number;
  /** When it is given up. */
  readonly until: number;
  /** When the step is to be taken, or its task looked at. */
  readonly tryAt: number;
  /** The task that takes the step, and when it was started. */
  readonly task?: string;
  readonly taskSince?: number;
  /** Why the attempt before failed. */
  readonly reason?: string;
}

/** How a secret is rotated. */
export interface Rotation {
  readonly enabled: boolean;
  /** A webhook (`https://…`), or the ARN of a task definition. */
  readonly target: string;
  /** Who set that, and whose rights tasks are started with. */
  readonly by: Delegate;
  /** In which tasks run. */
  readonly cluster: string;
  readonly rules: RotationRules;
  /** When the rules were set. */
  readonly since: number;
  readonly lastAt?: number;
  readonly nextAt?: number;
  readonly run?: RotationRun;
  /** Why the last rotation was given up. */
  readonly failure?: { readonly at: number; readonly reason: string };
}

/** A secret without its values. */
export interface SecretRecord {
  readonly name: string;
  /** The six characters that its ARN ends in: another secret of the same name later has others. */
  readonly suffix: string;
  readonly description?: string;
  /** The key for its next values, as it was named; undefined for that of Secrets Manager itself. */
  readonly kmsKey?: string;
  readonly tags: Tags;
  /** Its resource policy, with principals by their unique ids. */
  readonly policy?: string;
  readonly createdAt: number;
  readonly changedAt: number;
  /** When it was scheduled for deletion, and when it is gone. */
  readonly deletedAt?: number;
  readonly deletionAt?: number;
  /** How many looks in turn have found that its recovery window is over: see `looksUntilGone` of `keys`. */
  readonly overLooks?: number;
  /** Oldest first. */
  readonly versions: readonly SecretVersion[];
  readonly rotation?: Rotation;
  /** Since when AWSCURRENT has been where it is. */
  readonly valueSince?: number;
}

/** The value of a version, sealed. */
export interface SealedValue {
  readonly kind: 'string' | 'binary';
  /** A ciphertext of KMS if it is `keyed`; before there were keys, it was sealed with the installation's. */
  readonly sealed: string;
  readonly keyed?: true;
}

/** The value of a version; binary ones as base64. */
export interface SecretValue {
  readonly kind: SealedValue['kind'];
  readonly text: string;
}

const secrets = definePartition('secrets/<account>', 'the secrets of one account');
export const secretsPartition = secrets.name;

/** In the account's partition. `|` is in no name and no version id. */
export const secretKeys = {
  secret: (name: string): string => `secret/${name}`,
  secrets: 'secret/',
  value: (name: string, version: string): string => `value/${name}|${version}`,
  values: 'value/',
  /** Written when it changes which rotation is due when: whoever rotates need not read all secrets to know. */
  rotations: 'rotations',
  /** The lease of whoever rotates the account's secrets. */
  rotator: 'rotator',
  /** What calls of a secret's rotation are signed with. */
  callKey: (name: string): string => `rotation-key/${name}`,
  callKeys: 'rotation-key/',
  signingKey: 'signing-key',
} as const;

export const secretRows: OwnedRows = {
  partition: secrets,
  owner: 'scheduler/settings/secrets',
  keys: [secretKeys.secrets, secretKeys.values, secretKeys.callKeys, secretKeys.rotations, secretKeys.signingKey],
};
