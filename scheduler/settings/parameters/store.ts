import { type AccessRequest, AwsError } from '@slipway/auth/contract';
import type { Tags } from '@slipway/auth/kit';
import type { Sealer } from '@slipway/auth/tokens';
import type { Clock } from '@slipway/storage/clock';
import { hasRoom, type RecordStore, scan, type Transaction, transact } from '@slipway/storage/records';

import { type RandomBytes, toJson } from '../../state/index.ts';
import { isOfKey, type Keys, ServiceKeys } from '../keys/index.ts';

import { notFound, versionNotFound } from './errors.ts';
import { parameterArn, readReference } from './names.ts';
import {
  parameterKeys,
  type ParameterRecord,
  parametersPartition,
  type ParameterVersion,
  type SealedParameter,
} from './records.ts';

/** Parameters of an account, and versions of a parameter (AWS general reference, "Systems Manager endpoints and quotas"). */
export const mostParameters = 5000;
export const mostVersions = 100;

export interface ParameterPorts {
  readonly records: RecordStore;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: RandomBytes;
  readonly region: string;
  /** Keep the values of secure strings. */
  readonly keys: Keys;
  /** Keeps the others, and opens what was kept before there were keys. */
  readonly sealer: Sealer;
}

/** A parameter and the version of it that was asked for. */
export interface Chosen {
  readonly parameter: ParameterRecord;
  readonly version: ParameterVersion;
  /** `:3` or `:label`, where one was asked for. */
  readonly selector?: string;
}

/** The parameters of all accounts: one record each, and a sealed row for every value. */
export class Parameters {
  readonly #ports: ParameterPorts;
  readonly #keys: ServiceKeys;

  constructor(ports: ParameterPorts) {
    this.#ports = ports;
    this.#keys = new ServiceKeys(ports.keys, 'ssm');
  }

  arn(account: string, name: string): string {
    return parameterArn({ region: this.#ports.region, account }, name);
  }

  /** A parameter by its name or ARN, whatever version is asked for. */
  async find(account: string, text: string): Promise<ParameterRecord | undefined> {
    const { records, region } = this.#ports;
    const reference = readReference({ region, account }, text);
    if (reference === undefined) return undefined;
    const found = await records.get<ParameterRecord>(
      parametersPartition(account),
      parameterKeys.parameter(reference.name),
    );
    // The ARN of `db` is that of `/db`; their names are not the same.
    return text.startsWith('arn:') || found?.value.name === reference.name ? found?.value : undefined;
  }

  /**
   * The version that `name`, `name:3`, `name:label` or an ARN asks for.
   * @throws ParameterNotFound, ParameterVersionNotFound
   */
  async choose(account: string, text: string): Promise<Chosen> {
    const parameter = await this.find(account, text);
    if (parameter === undefined) throw notFound(text);
    const { selector } = readReference({ region: this.#ports.region, account }, text) ?? {};
    const version =
      selector === undefined
        ? newest(parameter)
        : parameter.versions.find((one) => String(one.version) === selector || one.labels.includes(selector));
    if (version === undefined) throw versionNotFound(parameter.name, selector ?? '');
    return { parameter, version, ...(selector === undefined ? {} : { selector: `:${selector}` }) };
  }

  /** `kms:<action>` on the key that a version is kept with, or that a text names, unless that is the one of Parameter Store itself. */
  keyAccess(
    account: string,
    name: string,
    action: 'Encrypt' | 'Decrypt',
    key: string | undefined,
  ): Promise<AccessRequest[]> {
    return this.#keys.access(account, key, [action], this.#context(account, name));
  }

  /** Whether values are kept with Parameter Store's own key where this one is named. @throws InvalidKeyId when there is none */
  async isOwnKey(account: string, key: string): Promise<boolean> {
    try {
      return (await this.#keys.named(account, key)).key.service !== undefined;
    } catch (error) {
      throw ofKey(error);
    }
  }

  #context(account: string, name: string) {
    return { PARAMETER_ARN: this.arn(account, name) };
  }

  /** The value of a version, as it was put and as it is kept. */
  async value(
    account: string,
    { name }: ParameterRecord,
    { version }: ParameterVersion,
  ): Promise<{ readonly clear: string; readonly sealed: string }> {
    const stored = await this.#ports.records.get<SealedParameter>(
      parametersPartition(account),
      parameterKeys.value(name, version),
    );
    // Deleted, or replaced a hundred times, a moment ago.
    if (stored === undefined) throw notFound(name);
    const { sealed, keyed = false } = stored.value;
    if (!keyed) return { clear: this.#ports.sealer.open(sealed, purposeOf(account, name, version)), sealed };
    try {
      return { clear: await this.#keys.open(this.#context(account, name), sealed), sealed };
    } catch (error) {
      throw ofKey(error);
    }
  }

  /** Parameters in the order of their names. @param path only those below it */
  async *list(account: string, { path = '/', after }: { readonly path?: string; readonly after?: string | undefined }) {
    for await (const { key, value } of scan<ParameterRecord>(this.#ports.records, parametersPartition(account), {
      prefix: parameterKeys.below(path),
      after,
    }))
      yield { key, value };
  }

  /**
   * Puts a value: a new parameter, or the next version of one.
   * @param decide what the version is, from the parameter as it is; may run again when somebody else was faster
   */
  put(
    account: string,
    name: string,
    value: string,
    decide: (before: ParameterRecord | undefined) => {
      readonly tags: Tags;
      readonly version: Omit<ParameterVersion, 'version' | 'labels' | 'modifiedAt' | 'key'>;
    },
  ): Promise<ParameterVersion> {
    const { clock } = this.#ports;
    return this.#transact(account, async (tx) => {
      const before = await tx.get<ParameterRecord>(parameterKeys.parameter(name));
      if (before !== undefined && before.name !== name)
        throw new AwsError(
          'ParameterAlreadyExists',
          `The parameter ${before.name} already exists, and has the ARN that ${name} would have. Use that name.`,
        );
      const { tags, version: decided } = decide(before);
      if (before === undefined) await checkRoom(tx);
      const number = (before === undefined ? 0 : newest(before).version) + 1;
      const { key, ...sealed } = await this.#seal(account, name, number, value, decided);
      const version = {
        ...decided,
        ...(key === undefined ? {} : { key }),
        version: number,
        labels: [],
        modifiedAt: clock.now(),
      };
      const kept = before === undefined ? [] : this.#makeRoom(tx, before);
      tx.put(parameterKeys.parameter(name), toJson({ name, tags, versions: [...kept, version] }));
      tx.put(parameterKeys.value(name, version.version), toJson(sealed));
      return version;
    });
  }

  /** @throws InvalidKeyId */
  async #seal(
    account: string,
    name: string,
    version: number,
    value: string,
    { type, keyId }: Pick<ParameterVersion, 'type' | 'keyId'>,
  ): Promise<SealedParameter & { readonly key?: string }> {
    if (type !== 'SecureString') return { sealed: this.#ports.sealer.seal(value, purposeOf(account, name, version)) };
    try {
      return { ...(await this.#keys.seal(account, keyId, this.#context(account, name), value)), keyed: true };
    } catch (error) {
      throw ofKey(error);
    }
  }

  /** Changes what is not a value. @throws ParameterNotFound */
  change(
    account: string,
    name: string,
    change: (before: ParameterRecord) => ParameterRecord,
  ): Promise<ParameterRecord> {
    return this.#transact(account, async (tx) => {
      const before = await tx.get<ParameterRecord>(parameterKeys.parameter(name));
      if (before?.name !== name) throw notFound(name);
      const after = change(before);
      tx.put(parameterKeys.parameter(name), toJson(after));
      return after;
    });
  }

  /** Removes a parameter with all its values. @returns whether there was one */
  remove(account: string, name: string): Promise<boolean> {
    return this.#transact(account, async (tx) => {
      const before = await tx.get<ParameterRecord>(parameterKeys.parameter(name));
      if (before?.name !== name) return false;
      for (const { version } of before.versions) tx.remove(parameterKeys.value(name, version));
      tx.remove(parameterKeys.parameter(name));
      return true;
    });
  }

  #transact<T>(account: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return transact(this.#ports.records, parametersPartition(account), work);
  }

  /** The versions that stay beside one more. @throws ParameterMaxVersionLimitExceeded */
  #makeRoom(tx: Transaction, { name, versions }: ParameterRecord): readonly ParameterVersion[] {
    const [oldest, ...rest] = versions;
    if (oldest === undefined || versions.length < mostVersions) return versions;
    if (oldest.labels.length > 0)
      throw new AwsError(
        'ParameterMaxVersionLimitExceeded',
        `You attempted to create a new version of ${name} by calling the PutParameter API with the overwrite flag. Version ${oldest.version}, the oldest version, can't be deleted because it has a label associated with it. Move the label to another version of the parameter, and try again.`,
      );
    tx.remove(parameterKeys.value(name, oldest.version));
    return rest;
  }
}

/** The version that is read when none is asked for. */
export const newest = ({ versions }: ParameterRecord): ParameterVersion => versions.at(-1) as ParameterVersion;

/** What Parameter Store says when a key cannot be used. */
const ofKey = (error: unknown): unknown =>
  isOfKey(error) ? new AwsError('InvalidKeyId', error.message, { cause: error }) : error;

/** A value opens as that of its version of its parameter alone. */
const purposeOf = (account: string, name: string, version: number): string => `parameter ${account}/${name}/${version}`;

async function checkRoom(tx: Transaction): Promise<void> {
  if (!(await hasRoom(tx, parameterKeys.parameters, mostParameters)))
    throw new AwsError(
      'ParameterLimitExceeded',
      `You have exceeded the number of parameters for this AWS account: it has at most ${mostParameters}. Delete one or more parameters and try again.`,
    );
}
