import { timingSafeEqual } from 'node:crypto';

import type { AccessList, AccessRequest, ConditionContext } from '@slipway/auth/contract';
import { arnOf, parseArn } from '@slipway/auth/kit';
import type { Clock } from '@slipway/storage/clock';
import {
  type Fence,
  hasRoom,
  type RecordStore,
  scan,
  scanAll,
  scanPartitions,
  type Transaction,
  transact,
} from '@slipway/storage/records';

import { type RandomBytes, toJson } from '../../state/index.ts';

import { looksUntilGone } from '../keys/index.ts';
import { exists, invalidRequest, limitExceeded, markedForDeletion, notFound } from './errors.ts';
import { randomLetters } from './letters.ts';
import {
  type Rotation,
  type SealedValue,
  secretKeys,
  type SecretRecord,
  secretsPartition,
  type SecretValue,
  type SecretVersion,
} from './records.ts';
import { rotationDue } from './rotating.ts';
import { Sealing, type SealingPorts } from './sealing.ts';
import { current, label, makeRoom, mostVersions, pending } from './versions.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
/** Secrets of an account: they are listed, and sorted, all at once. */
export const mostSecrets = 5000;

export interface SecretPorts extends SealingPorts {
  readonly records: RecordStore;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: RandomBytes;
  readonly region: string;
}

/** A version that is to be added. */
export interface NewVersion {
  readonly id: string;
  readonly value: SecretValue;
  /** Undefined: AWSCURRENT. */
  readonly stages?: readonly string[] | undefined;
}

/** Which version is meant. */
export interface VersionChoice {
  readonly versionId?: string | undefined;
  readonly stage?: string | undefined;
}

/** The secrets of all accounts: one record each, and a sealed row for every value. */
export class Secrets {
  readonly #ports: SecretPorts;
  /** How values are kept. */
  readonly sealing: Sealing;

  constructor(ports: SecretPorts) {
    this.#ports = ports;
    this.sealing = new Sealing(ports, (account, secret) => this.arn(account, secret));
  }

  arn(account: string, { name, suffix }: Pick<SecretRecord, 'name' | 'suffix'>): string {
    return arnOf({
      service: 'secretsmanager',
      region: this.#ports.region,
      account,
      resource: `secret:${name}-${suffix}`,
    });
  }

  /**
   * The secret that an id names: its name, its ARN, or its ARN without the six characters where no other secret has exactly that one. One
   * whose recovery window is over counts as gone.
   */
  async find(account: string, id: string): Promise<SecretRecord | undefined> {
    return this.#find(
      account,
      id,
      async (key) => (await this.#ports.records.get<SecretRecord>(secretsPartition(account), key))?.value,
    );
  }

  async #find(
    account: string,
    id: string,
    get: (key: string) => Promise<SecretRecord | undefined>,
  ): Promise<SecretRecord | undefined> {
    const there = async (name: string): Promise<SecretRecord | undefined> => {
      const found = await get(secretKeys.secret(name));
      return found === undefined || this.#isOver(found) ? undefined : found;
    };
    if (!id.startsWith('arn:')) return there(id);
    const parsed = parseArn(id);
    if (parsed?.service !== 'secretsmanager' || parsed.region !== this.#ports.region) return undefined;
    if (parsed.account !== account || !parsed.resource.startsWith('secret:')) return undefined;
    const rest = parsed.resource.slice('secret:'.length);
    const [, name, suffix] = /^(.+)-([A-Za-z0-9]{6})$/.exec(rest) ?? [];
    const whole = name === undefined ? undefined : await there(name);
    return whole !== undefined && whole.suffix === suffix ? whole : there(rest);
  }

  #isOver({ deletionAt }: SecretRecord): boolean {
    return deletionAt !== undefined && deletionAt <= this.#ports.clock.now();
  }

  /**
   * `secretsmanager:<action>` on a secret (service authorization reference, "AWS Secrets Manager"), with what policies can say about it; one
   * that is not there is asked for as it was written.
   */
  async access(account: string, action: string, id: string, context: ConditionContext): Promise<AccessRequest> {
    const found = await this.find(account, id);
    const { region } = this.#ports;
    const absent = { service: 'secretsmanager', region, account, resource: `secret:${id}` };
    const resource =
      found === undefined
        ? { arn: parseArn(id) === undefined ? arnOf(absent) : id }
        : {
            arn: this.arn(account, found),
            tags: found.tags,
            ...(found.policy === undefined ? {} : { policy: found.policy }),
          };
    const tags = Object.entries(found?.tags ?? {}).map(([key, value]) => [`secretsmanager:ResourceTag/${key}`, value]);
    return {
      action: `secretsmanager:${action}`,
      resources: [resource],
      context: { 'secretsmanager:SecretId': resource.arn, ...Object.fromEntries(tags), ...context },
    };
  }

  /** What reading a version of a secret needs: the secret's word, and that of a key of one's own. */
  async readAccess(account: string, id: string, choice: VersionChoice): Promise<AccessList> {
    const { versionId, stage } = choice;
    const access = await this.access(account, 'GetSecretValue', id, {
      // Without either, it is the label that is read.
      'secretsmanager:VersionStage': stage ?? (versionId === undefined ? current : undefined),
      'secretsmanager:VersionId': versionId,
    });
    const secret = await this.find(account, id);
    const version = secret?.versions.find((one) =>
      versionId === undefined ? one.stages.includes(stage ?? current) : one.id === versionId,
    );
    if (secret === undefined || version === undefined) return [access];
    return [access, ...(await this.#keyAccess(account, secret, version))];
  }

  /** What opening the value of a version needs on the key that it is kept with, whatever key the secret names now. */
  #keyAccess(account: string, secret: SecretRecord, { id, key }: SecretVersion): Promise<AccessRequest[]> {
    return this.sealing.access(account, key, 'decrypt', this.arn(account, secret), id);
  }

  /** What {@link rekey} needs on the keys that values are kept with now. */
  async rekeyAccess(account: string, secret: SecretRecord): Promise<AccessRequest[]> {
    const opened: AccessRequest[] = [];
    for (const version of secret.versions)
      if (await this.#moves(account, version)) opened.push(...(await this.#keyAccess(account, secret, version)));
    return opened;
  }

  /** Whether another key is for a version too: it has a label, and its own key was not destroyed, after which nothing opens it. */
  async #moves(account: string, { stages, key }: SecretVersion): Promise<boolean> {
    return stages.length > 0 && !(await this.sealing.isGone(account, key));
  }

  /** @throws ResourceExistsException, InvalidRequestException while one of the name is being deleted, LimitExceededException */
  async create(
    account: string,
    made: Pick<SecretRecord, 'name' | 'description' | 'tags' | 'kmsKey'>,
    version: NewVersion | undefined,
  ): Promise<SecretRecord> {
    const { clock, random } = this.#ports;
    return this.#transact(account, async (tx) => {
      const before = await tx.get<SecretRecord>(secretKeys.secret(made.name));
      // Also when its window is over: it is gone when that was found again and again.
      if (before?.deletionAt !== undefined)
        throw invalidRequest(
          "You can't create this secret because a secret with this name is already scheduled for deletion.",
        );
      else if (before !== undefined) {
        // The same request again, whose answer was lost.
        const again = version !== undefined && before.versions.some(({ id }) => id === version.id);
        if (again && (await this.#isSame(tx, account, before, version))) return before;
        throw exists(`The operation failed because the secret ${made.name} already exists.`);
      }
      if (!(await hasRoom(tx, secretKeys.secrets, mostSecrets)))
        throw limitExceeded(`You have reached the maximum number of secrets: an account has at most ${mostSecrets}.`);
      const now = clock.now();
      const secret: SecretRecord = {
        ...made,
        suffix: randomLetters(random, alphabet, 6),
        createdAt: now,
        changedAt: now,
        versions: [],
      };
      return this.#write(tx, version === undefined ? secret : await this.#add(tx, account, secret, version));
    });
  }

  /**
   * Changes a secret. @param change of the record as it is; may run again when somebody else was faster
   * @throws ResourceNotFoundException; InvalidRequestException for one that is being deleted
   */
  change(account: string, id: string, change: (secret: SecretRecord) => SecretRecord): Promise<SecretRecord> {
    return this.#transact(account, async (tx) => {
      const before = await this.#live(tx, account, id);
      return this.#write(tx, { ...change(before), changedAt: this.#ports.clock.now() });
    });
  }

  /** As {@link change}, with a version more. The same version again changes nothing. @throws ResourceExistsException when it has another value */
  put(
    account: string,
    id: string,
    version: NewVersion,
    change: (secret: SecretRecord) => SecretRecord = (secret) => secret,
  ): Promise<SecretRecord> {
    return this.#transact(account, async (tx) => {
      const before = await this.#live(tx, account, id);
      const added = await this.#add(tx, account, before, version);
      return this.#write(tx, { ...change(added), changedAt: this.#ports.clock.now() });
    });
  }

  /**
   * Begins a rotation under a version that has no value yet.
   * @param decide how the secret is rotated from now on; undefined when that very rotation has begun already. May run again
   * @throws ResourceNotFoundException, InvalidRequestException, ResourceExistsException for a version that is there
   */
  beginRotation(
    account: string,
    id: string,
    token: string,
    decide: (secret: SecretRecord) => Rotation | undefined,
    fence?: Fence,
  ): Promise<SecretRecord> {
    return this.#transact(
      account,
      async (tx) => {
        const before = await this.#live(tx, account, id);
        const rotation = decide(before);
        if (rotation === undefined) return before;
        if (before.versions.some((version) => version.id === token))
          throw exists(`There is a version ${token} of the secret already: name another ClientRequestToken.`);
        const room = this.#makeRoom(tx, before);
        const added: SecretVersion = { id: token, stages: [], createdAt: this.#ports.clock.now() };
        return this.#write(tx, { ...before, rotation, versions: label([...room, added], token, [pending]) });
      },
      fence,
    );
  }

  /**
   * Changes a secret for its rotation, as whoever leads that.
   * @param change of the record as it is, told whether the version that is being made has a value; undefined leaves it
   */
  changeRotation(
    account: string,
    name: string,
    fence: Fence,
    change: (secret: SecretRecord, hasValue: boolean) => SecretRecord | undefined,
  ): Promise<SecretRecord | undefined> {
    return this.#transact(
      account,
      async (tx) => {
        const before = await tx.get<SecretRecord>(secretKeys.secret(name));
        if (before === undefined) return undefined;
        const token = before.rotation?.run?.token ?? '';
        const hasValue = (await tx.peek(secretKeys.value(name, token))) !== undefined;
        const after = change(before, hasValue);
        return after === undefined ? before : this.#write(tx, after);
      },
      fence,
    );
  }

  /**
   * Gives a secret another key: for its next values, and for those that have a label, which are encrypted anew. What was encrypted with a
   * key that was destroyed stays as it is: the secret would be lost with it otherwise.
   * @param key as it was named; undefined for the one that secrets have anyway
   */
  rekey(account: string, id: string, key: string | undefined): Promise<SecretRecord> {
    return this.#transact(account, async (tx) => {
      const { kmsKey: _, ...before } = await this.#live(tx, account, id);
      const secret: SecretRecord = key === undefined ? before : { ...before, kmsKey: key };
      const versions = await Promise.all(
        secret.versions.map(async (version) => {
          const row = secretKeys.value(secret.name, version.id);
          const stored = (await this.#moves(account, version)) ? await tx.peek<SealedValue>(row) : undefined;
          if (stored === undefined) return version;
          const value = await this.sealing.open(account, secret, version.id, stored.value);
          const sealed = await this.sealing.seal(account, secret, version.id, value);
          tx.put(row, toJson(sealed.value));
          const { key: __, ...bare } = version;
          return { ...bare, ...keyOf(sealed) };
        }),
      );
      return this.#write(tx, { ...secret, versions, changedAt: this.#ports.clock.now() });
    });
  }

  /** Schedules the deletion of a secret, or takes the schedule back. @param days until it is gone; undefined to restore it */
  schedule(account: string, id: string, days: number | undefined): Promise<SecretRecord> {
    const now = this.#ports.clock.now();
    return this.#transact(account, async (tx) => {
      const found = await this.#get(tx, account, id);
      const { deletedAt, deletionAt: _, overLooks: __, ...live } = found;
      if (days === undefined) return this.#write(tx, live);
      if (deletedAt !== undefined)
        throw invalidRequest("You tried to perform the operation on a secret that's currently marked deleted.");
      return this.#write(tx, { ...live, deletedAt: now, deletionAt: now + days * 86_400_000 });
    });
  }

  /** Removes a secret with all its values, at once. @returns it, or undefined when there is none */
  remove(account: string, id: string): Promise<SecretRecord | undefined> {
    return this.#transact(account, async (tx) => {
      const found = await this.#find(account, id, (key) => tx.get<SecretRecord>(key));
      if (found !== undefined) this.#drop(tx, found);
      return found;
    });
  }

  /** Every secret of an account, also what is being deleted. */
  async all(account: string): Promise<SecretRecord[]> {
    const rows = await scanAll<SecretRecord>(this.#ports.records, secretsPartition(account), {
      prefix: secretKeys.secrets,
    });
    return rows.map(({ value }) => value).filter((secret) => !this.#isOver(secret));
  }

  /**
   * The value of a version: by its id, by a label, or the one that is AWSCURRENT.
   * @param allow asked for what the version that is read needs: its label may have moved since {@link readAccess} was; throws unless it is allowed
   * @throws ResourceNotFoundException, InvalidRequestException; what `allow` throws
   */
  async value(
    account: string,
    secret: SecretRecord,
    { versionId, stage }: VersionChoice,
    allow: (access: AccessRequest) => Promise<void>,
  ): Promise<{ readonly version: SecretVersion; readonly value: SecretValue }> {
    if (secret.deletionAt !== undefined) throw markedForDeletion();
    const version = chosen(secret, versionId, stage);
    for (const access of await this.#keyAccess(account, secret, version)) await allow(access);
    const { records } = this.#ports;
    const stored = await records.get<SealedValue>(secretsPartition(account), secretKeys.value(secret.name, version.id));
    // A rotation has made it, and its value has not come yet.
    if (stored === undefined)
      throw notFound(`Secrets Manager can't find the specified secret value for VersionId: ${version.id}`);
    return { version, value: await this.sealing.open(account, secret, version.id, stored.value) };
  }

  /** One look at all accounts: removes secrets whose recovery window {@link looksUntilGone} looks have found over. */
  async sweep(): Promise<void> {
    for await (const partition of scanPartitions(this.#ports.records, secretsPartition(''))) {
      await this.#sweep(partition.slice(secretsPartition('').length));
    }
  }

  async #sweep(account: string): Promise<void> {
    for await (const { value } of scan<SecretRecord>(this.#ports.records, secretsPartition(account), {
      prefix: secretKeys.secrets,
    })) {
      if (!this.#isOver(value) && value.overLooks === undefined) continue;
      await this.#transact(account, async (tx) => {
        const found = await tx.get<SecretRecord>(secretKeys.secret(value.name));
        if (found === undefined) return;
        const { overLooks = 0, ...rest } = found;
        const looks = this.#isOver(found) ? overLooks + 1 : 0;
        if (looks >= looksUntilGone) this.#drop(tx, found);
        else tx.put(secretKeys.secret(found.name), toJson(looks === 0 ? rest : { ...rest, overLooks: looks }));
      });
    }
  }

  #transact<T>(account: string, work: (tx: Transaction) => Promise<T>, fence?: Fence): Promise<T> {
    return transact(this.#ports.records, secretsPartition(account), work, fence === undefined ? {} : { fence });
  }

  async #get(tx: Transaction, account: string, id: string): Promise<SecretRecord> {
    const found = await this.#find(account, id, (key) => tx.get<SecretRecord>(key));
    if (found === undefined) throw notFound();
    return found;
  }

  async #live(tx: Transaction, account: string, id: string): Promise<SecretRecord> {
    const found = await this.#get(tx, account, id);
    if (found.deletionAt !== undefined) throw markedForDeletion();
    return found;
  }

  async #write(tx: Transaction, secret: SecretRecord): Promise<SecretRecord> {
    const key = secretKeys.secret(secret.name);
    const before = (await tx.peek<SecretRecord>(key))?.value;
    const isNew = before?.suffix !== secret.suffix || currentOf(before) !== currentOf(secret);
    const now = this.#ports.clock.now();
    const written = isNew ? { ...secret, valueSince: now } : secret;
    if ((before && rotationDue(before)) !== rotationDue(secret)) tx.put(secretKeys.rotations, { changedAt: now });
    tx.put(key, toJson(written));
    return written;
  }

  #drop(tx: Transaction, secret: SecretRecord): void {
    for (const { id } of secret.versions) tx.remove(secretKeys.value(secret.name, id));
    tx.remove(secretKeys.callKey(secret.name));
    tx.remove(secretKeys.secret(secret.name));
  }

  async #add(tx: Transaction, account: string, secret: SecretRecord, version: NewVersion): Promise<SecretRecord> {
    const { id, value, stages = [current] } = version;
    const there = secret.versions.find((one) => one.id === id);
    if (there !== undefined && (await tx.get(secretKeys.value(secret.name, id))) === undefined) {
      // What a rotation has made, and whose value comes now.
      const sealed = await this.sealing.seal(account, secret, id, value);
      tx.put(secretKeys.value(secret.name, id), toJson(sealed.value));
      const versions = secret.versions.map((one) => (one.id === id ? { ...one, ...keyOf(sealed) } : one));
      return { ...secret, versions: label(versions, id, stages) };
    }
    if (there !== undefined) {
      if (await this.#isSame(tx, account, secret, version)) return secret;
      throw exists(
        `You can't use ClientRequestToken ${id} because that value is already in use for a version of secret ${this.arn(account, secret)}.`,
      );
    }
    const now = this.#ports.clock.now();
    const kept = this.#makeRoom(tx, secret);
    const sealed = await this.sealing.seal(account, secret, id, value);
    tx.put(secretKeys.value(secret.name, id), toJson(sealed.value));
    const added: SecretVersion = { id, stages: [], createdAt: now, ...keyOf(sealed) };
    return { ...secret, versions: label([...kept, added], id, stages) };
  }

  /** The versions that stay beside one more. @throws LimitExceededException */
  #makeRoom(tx: Transaction, secret: SecretRecord): readonly SecretVersion[] {
    const room = makeRoom(secret.versions, this.#ports.clock.now());
    if (room === undefined)
      throw limitExceeded(`A secret has at most ${mostVersions} versions; those without a label go after 24 hours.`);
    for (const gone of room.gone) tx.remove(secretKeys.value(secret.name, gone));
    return room.kept;
  }

  async #isSame(tx: Transaction, account: string, secret: SecretRecord, { id, value }: NewVersion): Promise<boolean> {
    const stored = await tx.peek<SealedValue>(secretKeys.value(secret.name, id));
    if (stored === undefined) return false;
    const before = await this.sealing.open(account, secret, id, stored.value);
    const [one, other] = [Buffer.from(before.text), Buffer.from(value.text)];
    return before.kind === value.kind && one.length === other.length && timingSafeEqual(one, other);
  }
}

const currentOf = ({ versions }: SecretRecord): string | undefined =>
  versions.find(({ stages }) => stages.includes(current))?.id;

const keyOf = ({ key }: { readonly key?: string }): { readonly key?: string } => (key === undefined ? {} : { key });

function chosen({ versions }: SecretRecord, versionId: string | undefined, stage: string | undefined): SecretVersion {
  if (versionId === undefined) {
    const label = stage ?? current;
    const found = versions.find(({ stages }) => stages.includes(label));
    if (found !== undefined) return found;
    throw notFound(`Secrets Manager can't find the specified secret value for staging label: ${label}`);
  }
  const found = versions.find(({ id }) => id === versionId);
  if (found === undefined)
    throw notFound(`Secrets Manager can't find the specified secret value for VersionId: ${versionId}`);
  if (stage !== undefined && !found.stages.includes(stage))
    throw invalidRequest('You provided a VersionStage that is not associated to the provided VersionId.');
  return found;
}
