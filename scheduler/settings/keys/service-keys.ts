import { type AccessRequest, AwsError } from '@slipway/auth/contract';
import { parseArn } from '@slipway/auth/kit';

import type { EncryptionContext } from './ciphertext.ts';
import { noKey } from './errors.ts';
import { contextKeys, keyContext, keyResource } from './operation.ts';
import type { ManagedService } from './records.ts';
import type { FoundKey, Keys } from './store.ts';

/** What a service keeps with a key. */
export interface SealedText {
  /** A ciphertext of KMS, as base64. */
  readonly sealed: string;
  /** The ARN of the key, unless that is the service's own. */
  readonly key?: string;
}

/** How a service keeps texts with keys of KMS: its own where none is named, and else one that its callers must be allowed to use. */
export class ServiceKeys {
  readonly #keys: Keys;
  readonly #service: ManagedService;

  constructor(keys: Keys, service: ManagedService) {
    this.#keys = keys;
    this.#service = service;
  }

  /** The key that a text names. @param id undefined or empty: the service's own. @throws NotFoundException */
  async named(account: string, id: string | undefined): Promise<FoundKey> {
    if (id === undefined || id === '') return { account, key: await this.#keys.managed(account, this.#service) };
    const found = await this.#keys.find(account, id);
    if (found === undefined) throw noKey(id);
    return found;
  }

  /** Whether the key that a text names is not there, or not any more. */
  async isGone(account: string, id: string): Promise<boolean> {
    return (await this.#keys.find(account, id)) === undefined;
  }

  /** Whether a text names the service's own key, or none. */
  async isOwn(account: string, id: string | undefined): Promise<boolean> {
    if (id === undefined || id === '') return true;
    return (await this.#keys.find(account, id))?.key.service === this.#service;
  }

  /**
   * `kms:<action>` on a key through the service, for each of the actions; nothing for the service's own key, which everybody in the account
   * uses who may use the service.
   */
  async access(
    account: string,
    id: string | undefined,
    actions: readonly string[],
    context: EncryptionContext,
  ): Promise<AccessRequest[]> {
    if (await this.isOwn(account, id)) return [];
    const keys = this.#keys;
    const found = await keys.find(account, id ?? '');
    const named = id ?? '';
    const missing =
      parseArn(named) === undefined ? keys.arn(account, named.startsWith('alias/') ? named : `key/${named}`) : named;
    return actions.map((action) => ({
      action: `kms:${action}`,
      resources: [found === undefined ? { arn: missing } : keyResource(keys, found)],
      context: {
        'kms:CallerAccount': account,
        'kms:ViaService': `${this.#service}.${keys.ports.region}.amazonaws.com`,
        ...(found === undefined ? {} : keyContext(found)),
        ...contextKeys(context),
      },
    }));
  }

  /** @throws NotFoundException, DisabledException, KMSInvalidStateException */
  async seal(account: string, id: string | undefined, context: EncryptionContext, text: string): Promise<SealedText> {
    const found = await this.named(account, id);
    const sealed = (await this.#keys.encrypt(found, context, Buffer.from(text))).toString('base64');
    return found.key.service === undefined ? { sealed, key: this.#keys.keyArn(found.account, found.key) } : { sealed };
  }

  /** @throws InvalidCiphertextException, DisabledException, KMSInvalidStateException */
  async open(context: EncryptionContext, sealed: string): Promise<string> {
    return (await this.#keys.decrypt(context, Buffer.from(sealed, 'base64'))).plain.toString('utf8');
  }
}

/** Whether an error says that a key cannot be used now, rather than that something is broken. */
export const isOfKey = (error: unknown): error is AwsError =>
  error instanceof AwsError &&
  ['NotFoundException', 'DisabledException', 'KMSInvalidStateException', 'InvalidCiphertextException'].includes(
    error.code,
  );
