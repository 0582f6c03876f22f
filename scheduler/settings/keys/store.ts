import { arnOf, parseArn } from '@slipway/auth/kit';
import type { Sealer } from '@slipway/auth/tokens';
import type { Clock } from '@slipway/storage/clock';
import { hasRoom, type RecordStore, scan, scanPartitions, type Transaction, transact } from '@slipway/storage/records';
import { LRUCache } from 'lru-cache';

import { type RandomBytes, toJson } from '../../state/index.ts';

import { type CiphertextHead, decrypt, encrypt, type EncryptionContext, headOf } from './ciphertext.ts';
import { disabled, invalidCiphertext, invalidState, limitExceeded, noKey } from './errors.ts';
import { defaultPolicy, managedPolicy } from './default-policies.ts';
import {
  type AliasRecord,
  keyKeys,
  type KeyMaterial,
  type KeyRecord,
  keysPartition,
  managedAlias,
  type ManagedService,
  looksUntilGone,
  managedServices,
  type SealedMaterial,
} from './records.ts';

export const mostKeys = 10_000;
export const dayMs = 86_400_000;
/** Materials that are kept open in memory; a key's state is read each time it is used. */
const mostOpen = 1000;

export interface KeyPorts {
  readonly records: RecordStore;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: RandomBytes;
  readonly region: string;
  /** Keeps the materials. */
  readonly sealer: Sealer;
}

/** A key, and whose it is. */
export interface FoundKey {
  readonly account: string;
  readonly key: KeyRecord;
  /** The alias that it was asked for by. */
  readonly alias?: string;
}

/** The keys of all accounts: one record each, a sealed row for every material, and a row for every alias. */
export class Keys {
  readonly ports: KeyPorts;
  readonly #open = new LRUCache<string, Buffer>({ max: mostOpen });

  constructor(ports: KeyPorts) {
    this.ports = ports;
  }

  arn(account: string, resource: string): string {
    return arnOf({ service: 'kms', region: this.ports.region, account, resource });
  }

  keyArn(account: string, { id }: Pick<KeyRecord, 'id'>): string {
    return this.arn(account, `key/${id}`);
  }

  /**
   * The key that a text names: its id, its ARN, an alias, or an alias's ARN. What a service's own alias stands for is made when it is first
   * asked for. One whose time is over counts as gone.
   * @param account whose key it is unless the text is an ARN
   */
  async find(account: string, text: string): Promise<FoundKey | undefined> {
    const { records, region } = this.ports;
    const arn = text.startsWith('arn:') ? parseArn(text) : { service: 'kms', region, account, resource: text };
    if (arn?.service !== 'kms' || arn.region !== region || !/^\d{12}$/.test(arn.account)) return undefined;
    const partition = keysPartition(arn.account);
    let id = text.startsWith('arn:') ? arn.resource.replace(/^key\//, '') : arn.resource;
    let alias: string | undefined;
    if (arn.resource.startsWith('alias/')) {
      alias = arn.resource;
      const service = managedServices.find((one) => managedAlias(one) === alias);
      if (service !== undefined && arn.account === account)
        return { account, key: await this.managed(account, service), alias };
      const found = await records.get<AliasRecord>(partition, keyKeys.alias(alias));
      if (found === undefined) return undefined;
      id = found.value.keyId;
    }
    const found = await records.get<KeyRecord>(partition, keyKeys.key(id));
    if (found === undefined || this.isOver(found.value)) return undefined;
    return { account: arn.account, key: found.value, ...(alias === undefined ? {} : { alias }) };
  }

  isOver({ deletionAt }: KeyRecord): boolean {
    return deletionAt !== undefined && deletionAt <= this.ports.clock.now();
  }

  /** The key with which a service encrypts for whoever names none. */
  async managed(account: string, service: ManagedService): Promise<KeyRecord> {
    const alias = managedAlias(service);
    return this.transact(account, async (tx) => {
      const found = await tx.get<AliasRecord>(keyKeys.alias(alias));
      if (found !== undefined) return (await tx.get<KeyRecord>(keyKeys.key(found.keyId))) as KeyRecord;
      const now = this.ports.clock.now();
      const key = this.#make(tx, account, {
        service,
        description: `Default key that protects what ${service} keeps when no other key is defined`,
        policy: managedPolicy(account, this.ports.region, service),
        tags: {},
        aliases: [alias],
        rotation: { days: 365, nextAt: now + 365 * dayMs },
      });
      const row: AliasRecord = { name: alias, keyId: key.id, createdAt: now, updatedAt: now };
      tx.put(keyKeys.alias(alias), toJson(row));
      return key;
    });
  }

  /** @param made without a policy it has the one that hands everything to the account's own policies. @throws LimitExceededException */
  create(
    account: string,
    made: Pick<KeyRecord, 'description' | 'tags'> & { readonly policy?: string | undefined },
    id?: string,
  ): Promise<KeyRecord> {
    return this.transact(account, async (tx) => {
      if (!(await hasRoom(tx, keyKeys.keys, mostKeys))) throw limitExceeded(`An account has at most ${mostKeys} keys.`);
      return this.#make(tx, account, { ...made, policy: made.policy ?? defaultPolicy(account), aliases: [] }, id);
    });
  }

  #make(
    tx: Transaction,
    account: string,
    made: Omit<KeyRecord, 'id' | 'enabled' | 'createdAt' | 'materials'>,
    id: string = this.newId(),
  ): KeyRecord {
    const bare = { ...made, id, enabled: true, createdAt: this.ports.clock.now(), materials: [] };
    return this.addMaterial(tx, account, bare, 'CREATED');
  }

  /** Of version 4, as KMS makes them. */
  newId(): string {
    const bytes = Buffer.from(this.ports.random(16));
    bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
    return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  }

  /** Puts a new material under a key, which encrypts from now on, and writes the key. */
  addMaterial(tx: Transaction, account: string, key: KeyRecord, cause: KeyMaterial['cause']): KeyRecord {
    const { random, sealer, clock } = this.ports;
    const version = (key.materials.at(-1)?.version ?? 0) + 1;
    const bytes = Buffer.from(random(32)).toString('base64');
    const sealed: SealedMaterial = { sealed: sealer.seal(bytes, purposeOf({ account, keyId: key.id, version })) };
    tx.put(keyKeys.material(key.id, version), toJson(sealed));
    const id = Buffer.from(random(32)).toString('hex');
    const material: KeyMaterial = { version, id, createdAt: clock.now(), cause };
    const changed = { ...key, materials: [...key.materials, material] };
    tx.put(keyKeys.key(key.id), toJson(changed));
    return changed;
  }

  /** Changes a key. @throws NotFoundException; what `change` throws */
  change(
    account: string,
    id: string,
    change: (before: KeyRecord, tx: Transaction) => KeyRecord | Promise<KeyRecord>,
  ): Promise<KeyRecord> {
    return this.transact(account, async (tx) => {
      const before = await tx.get<KeyRecord>(keyKeys.key(id));
      if (before === undefined || this.isOver(before)) throw noKey(this.keyArn(account, { id }));
      const after = await change(before, tx);
      if (after !== before) tx.put(keyKeys.key(id), toJson(after));
      return after;
    });
  }

  transact<T>(account: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return transact(this.ports.records, keysPartition(account), work);
  }

  /** @throws DisabledException, KMSInvalidStateException unless the key may be used now */
  checkUsable({ account, key }: FoundKey): void {
    const arn = this.keyArn(account, key);
    if (key.deletionAt !== undefined) throw invalidState(`${arn} is pending deletion.`);
    if (!key.enabled) throw disabled(arn);
  }

  /** Encrypts with a key's newest material. @throws DisabledException, KMSInvalidStateException */
  async encrypt(found: FoundKey, context: EncryptionContext, plain: Uint8Array): Promise<Buffer> {
    this.checkUsable(found);
    const { account, key } = found;
    const { version } = key.materials.at(-1) as KeyMaterial;
    const head = { account, keyId: key.id, version };
    const material = await this.#material(head);
    if (material === undefined) throw noKey(this.keyArn(account, key));
    return encrypt(material, head, context, plain, this.ports.random);
  }

  /** The key that a ciphertext was made with, if that is there. */
  async keyOf(bytes: Uint8Array): Promise<FoundKey | undefined> {
    const head = headOf(bytes);
    return head === undefined ? undefined : this.find(head.account, head.keyId);
  }

  /** @throws InvalidCiphertextException, DisabledException, KMSInvalidStateException */
  async decrypt(
    context: EncryptionContext,
    bytes: Uint8Array,
  ): Promise<{ readonly found: FoundKey; readonly plain: Buffer; readonly material: KeyMaterial }> {
    const head = headOf(bytes);
    const found = await this.keyOf(bytes);
    const material = found?.key.materials.find(({ version }) => version === head?.version);
    if (head === undefined || found === undefined || material === undefined) throw invalidCiphertext();
    this.checkUsable(found);
    const opened = await this.#material(head);
    const plain = opened && decrypt(opened, context, bytes);
    if (plain === undefined) throw invalidCiphertext();
    return { found, plain, material };
  }

  async #material(head: CiphertextHead): Promise<Buffer | undefined> {
    const name = purposeOf(head);
    const known = this.#open.get(name);
    if (known !== undefined) return known;
    const key = keyKeys.material(head.keyId, head.version);
    const stored = await this.ports.records.get<SealedMaterial>(keysPartition(head.account), key);
    if (stored === undefined) return undefined;
    const bytes = Buffer.from(this.ports.sealer.open(stored.value.sealed, name), 'base64');
    this.#open.set(name, bytes);
    return bytes;
  }

  /**
   * One look: destroys the materials of keys whose time {@link looksUntilGone} looks have found over, and rotates those that are due.
   * @returns how many of each
   */
  async sweep(): Promise<{ readonly destroyed: number; readonly rotated: number }> {
    let [destroyed, rotated] = [0, 0];
    for await (const partition of scanPartitions(this.ports.records, keysPartition(''))) {
      const account = partition.slice(keysPartition('').length);
      for await (const { value } of scan<KeyRecord>(this.ports.records, partition, { prefix: keyKeys.keys })) {
        if (this.isOver(value) || value.overLooks !== undefined)
          destroyed += Number(await this.#destroy(account, value.id));
        else if (this.#isDue(value)) rotated += Number(await this.#rotate(account, value.id));
      }
    }
    return { destroyed, rotated };
  }

  #isDue({ rotation, enabled, deletionAt }: KeyRecord): boolean {
    return rotation !== undefined && enabled && deletionAt === undefined && rotation.nextAt <= this.ports.clock.now();
  }

  #rotate(account: string, id: string): Promise<boolean> {
    return this.transact(account, async (tx) => {
      const key = await tx.get<KeyRecord>(keyKeys.key(id));
      if (key?.rotation === undefined || !this.#isDue(key)) return false;
      const { days } = key.rotation;
      const rotation = { days, nextAt: this.ports.clock.now() + days * dayMs };
      this.addMaterial(tx, account, { ...key, rotation }, 'AUTOMATIC');
      return true;
    });
  }

  #destroy(account: string, id: string): Promise<boolean> {
    return this.transact(account, async (tx) => {
      const key = await tx.get<KeyRecord>(keyKeys.key(id));
      if (key === undefined) return false;
      const { overLooks = 0, ...rest } = key;
      const looks = this.isOver(key) ? overLooks + 1 : 0;
      if (looks < looksUntilGone) {
        tx.put(keyKeys.key(id), toJson(looks === 0 ? rest : { ...rest, overLooks: looks }));
        return false;
      }
      for (const { version } of key.materials) {
        tx.remove(keyKeys.material(id, version));
        this.#open.delete(purposeOf({ account, keyId: id, version }));
      }
      for (const alias of key.aliases) tx.remove(keyKeys.alias(alias));
      tx.remove(keyKeys.key(id));
      return true;
    });
  }
}

/** A material opens as that of its version of its key alone. */
const purposeOf = ({ account, keyId, version }: CiphertextHead): string =>
  `key material ${account}/${keyId}/${version}`;
