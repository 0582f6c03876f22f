import { type AccessRequest, AwsError } from '@slipway/auth/contract';
import type { Sealer } from '@slipway/auth/tokens';

import { isOfKey, type Keys, ServiceKeys } from '../keys/index.ts';

import type { SealedValue, SecretRecord, SecretValue } from './records.ts';

/** A secret as far as its values are bound to it. */
type Named = Pick<SecretRecord, 'name' | 'suffix'>;

export interface SealingPorts {
  readonly keys: Keys;
  /** Opens what was kept before there were keys. */
  readonly sealer: Sealer;
}

/** Keeps values with keys of KMS: each opens as that of its version of its secret alone. */
export class Sealing {
  readonly #keys: ServiceKeys;
  readonly #sealer: Sealer;
  readonly #arn: (account: string, secret: Named) => string;

  constructor({ keys, sealer }: SealingPorts, arn: (account: string, secret: Named) => string) {
    this.#keys = new ServiceKeys(keys, 'secretsmanager');
    this.#sealer = sealer;
    this.#arn = arn;
  }

  /** What callers need on the key that a text names, and what a service does with it. @param version unknown while a secret is being made */
  access(
    account: string,
    key: string | undefined,
    use: 'encrypt' | 'decrypt',
    arn?: string,
    version?: string,
  ): Promise<AccessRequest[]> {
    const actions = use === 'encrypt' ? ['GenerateDataKey', 'Decrypt'] : ['Decrypt'];
    return this.#keys.access(account, key, actions, {
      ...(arn === undefined ? {} : { SecretARN: arn }),
      ...(version === undefined ? {} : { SecretVersionId: version }),
    });
  }

  /** Whether the key that a version names was destroyed. @param key undefined: the one that secrets have anyway */
  isGone(account: string, key: string | undefined): Promise<boolean> {
    return key === undefined ? Promise.resolve(false) : this.#keys.isGone(account, key);
  }

  /** The key as it is kept with a secret: undefined for the one that secrets have anyway. @throws ResourceNotFoundException */
  async chosen(account: string, key: string): Promise<string | undefined> {
    try {
      const { key: found } = await this.#keys.named(account, key);
      return found.service === undefined ? key : undefined;
    } catch (error) {
      throw failure('EncryptionFailure', error);
    }
  }

  /** @throws EncryptionFailure */
  async seal(
    account: string,
    secret: Named & Pick<SecretRecord, 'kmsKey'>,
    version: string,
    { kind, text }: SecretValue,
  ): Promise<{ readonly value: SealedValue; readonly key?: string }> {
    try {
      const context = this.#context(account, secret, version);
      const { sealed, key } = await this.#keys.seal(account, secret.kmsKey, context, text);
      return { value: { kind, sealed, keyed: true }, ...(key === undefined ? {} : { key }) };
    } catch (error) {
      throw failure('EncryptionFailure', error);
    }
  }

  /** @throws DecryptionFailure */
  async open(account: string, secret: Named, version: string, stored: SealedValue): Promise<SecretValue> {
    const { kind, sealed, keyed = false } = stored;
    if (!keyed) return { kind, text: this.#sealer.open(sealed, purposeOf(account, secret, version)) };
    try {
      return { kind, text: await this.#keys.open(this.#context(account, secret, version), sealed) };
    } catch (error) {
      throw failure('DecryptionFailure', error);
    }
  }

  #context(account: string, secret: Named, version: string) {
    return { SecretARN: this.#arn(account, secret), SecretVersionId: version };
  }
}

/** Of values from before there were keys. */
const purposeOf = (account: string, { name, suffix }: Named, version: string): string =>
  `secret ${account}/${name}-${suffix}/${version}`;

const sentences = {
  EncryptionFailure:
    "Secrets Manager can't encrypt the protected secret text using the provided KMS key. Check that the KMS key is available, enabled, and not in an invalid state.",
  DecryptionFailure: "Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
} as const;

const failure = (code: keyof typeof sentences, error: unknown): unknown =>
  isOfKey(error) ? new AwsError(code, `${sentences[code]} ${error.message}`, { cause: error }) : error;
