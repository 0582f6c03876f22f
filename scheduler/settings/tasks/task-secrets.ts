import { type AccessRequest, type Authorizer, AwsError, type Principal } from '@slipway/auth/contract';
import { parseArn } from '@slipway/auth/kit';

import type { EcsPorts } from '../../cluster/index.ts';
import {
  type ContainerSecrets,
  type SecretNeed,
  type TaskSecretsPort,
  TaskSecretsRefused,
} from '../../hosts/control/index.ts';
import { callOf } from '../../services/index.ts';
import type { ReadFile } from '../../objects/index.ts';
import { parameterArn, type Parameters, readReference } from '../parameters/index.ts';
import type { Secrets, VersionChoice } from '../secrets/index.ts';

import { variablesOf } from './environment-file.ts';
import { jsonMember, readLogin } from './values.ts';

/** Bytes of all values of a task, as JSON has them: what an environment may have, and frames to agents carry ten of. */
const mostBytes = 256 * 1024;
/** Names of one request, as amazon-ecs-agent asks for them. */
const batch = 10;

export interface TaskSecretsOptions extends Pick<EcsPorts, 'clock' | 'random' | 'region'> {
  readonly secrets: Secrets;
  readonly parameters: Parameters;
  readonly authorizer: Authorizer;
  /** Files of variables are objects. */
  readonly files: ReadFile;
}

/**
 * Reads what tasks need with the rights of their execution roles, each secret and parameter once for a task, in the words of
 * amazon-ecs-agent when that fails: every reason, joined by `;`.
 */
export function createTaskSecrets(options: TaskSecretsOptions): TaskSecretsPort {
  return async (principal, needs) => {
    const reading = new Reading(options, principal);
    const values = await reading.all(needs);
    // Containers and variables may be named as members that every object has.
    const given = new Map<string, Built>();
    let bytes = 0;
    for (const { container, kind, name, valueFrom, taken = [] } of needs) {
      const value = values.get(valueFrom) ?? '';
      bytes += Buffer.byteLength(JSON.stringify([name, value]));
      const own: Built = given.get(container) ?? { environment: new Map(), logOptions: new Map() };
      given.set(container, own);
      if (kind === 'environment') own.environment.set(name, value);
      else if (kind === 'log') own.logOptions.set(name, value);
      else if (kind === 'file') addFile(own.environment, value, taken);
      else if (kind === 'router') own.routerConfiguration = value;
      else own.registry = readLogin(valueFrom, value);
    }
    if (bytes > mostBytes)
      throw new TaskSecretsRefused(
        `ResourceInitializationError: the secrets and environment files of the task have ${bytes} bytes: they have at most ${mostBytes}.`,
      );
    return Object.fromEntries([...given].map(([container, built]) => [container, secretsOf(built)]));
  };
}

/** As it is filled. */
interface Built {
  readonly environment: Map<string, string>;
  readonly logOptions: Map<string, string>;
  registry?: ContainerSecrets['registry'];
  routerConfiguration?: string;
}

/** Of several files the first that has a variable gives it, unless the container has it otherwise. */
function addFile(environment: Map<string, string>, text: string, taken: readonly string[]): void {
  for (const [name, value] of variablesOf(text))
    if (!taken.includes(name) && !environment.has(name)) environment.set(name, value);
}

const secretsOf = ({ environment, logOptions, registry, routerConfiguration }: Built): ContainerSecrets => ({
  environment: Object.fromEntries(environment),
  logOptions: Object.fromEntries(logOptions),
  ...(registry === undefined ? {} : { registry }),
  ...(routerConfiguration === undefined ? {} : { routerConfiguration }),
});

/** What a task reads. */
class Reading {
  readonly #options: TaskSecretsOptions;
  readonly #principal: Principal;
  readonly #reasons: string[] = [];
  /** By secret and version: members of one JSON object are of one reading of it, also while a new value is put. */
  readonly #texts = new Map<string, string>();

  constructor(options: TaskSecretsOptions, principal: Principal) {
    this.#options = options;
    this.#principal = principal;
  }

  /** The values by where they come from. @throws TaskSecretsRefused with every reason */
  async all(needs: readonly SecretNeed[]): Promise<ReadonlyMap<string, string>> {
    const values = new Map<string, string>();
    const isFile = ({ kind }: SecretNeed): boolean => kind === 'file' || kind === 'router';
    const namesOf = (some: readonly SecretNeed[]): string[] => [...new Set(some.map(({ valueFrom }) => valueFrom))];
    const sources = namesOf(needs.filter((need) => !isFile(need)));
    const isSecret = (source: string): boolean => parseArn(source)?.service === 'secretsmanager';
    await this.#parameters(
      sources.filter((source) => !isSecret(source)),
      values,
    );
    for (const source of sources.filter(isSecret)) {
      try {
        values.set(source, await this.#secret(source));
      } catch (error) {
        this.#refused(error);
      }
    }
    for (const source of namesOf(needs.filter(isFile))) {
      try {
        values.set(source, await this.#file(source));
      } catch (error) {
        const variables = needs.some(({ kind, valueFrom }) => kind === 'file' && valueFrom === source);
        const what = variables ? 'env files' : 'the configuration of the log router';
        this.#refused(error, `failed to download ${what}: ${source}`);
      }
    }
    if (this.#reasons.length > 0)
      throw new TaskSecretsRefused(`ResourceInitializationError: ${[...new Set(this.#reasons)].join(';')}`);
    return values;
  }

  /** `arn:aws:s3:::bucket/name.env` */
  #file(source: string): Promise<string> {
    const [bucket = '', ...key] = source.slice(source.indexOf(':::') + 3).split('/');
    const call = callOf(this.#options, this.#principal);
    return this.#options.files(call, { bucket, key: key.join('/') }, mostBytes);
  }

  async #parameters(names: readonly string[], values: Map<string, string>): Promise<void> {
    const { parameters, region } = this.#options;
    const { account } = this.#principal;
    const where = `fetching secret data from SSM Parameter Store in ${region}`;
    for (let from = 0; from < names.length; from += batch) {
      const asked = names.slice(from, from + batch);
      const invalid: string[] = [];
      try {
        await this.#allow(await this.#parameterAccess(asked));
        for (const name of asked) {
          try {
            const { parameter, version } = await parameters.choose(account, name);
            const { key } = version;
            const ofKey = key === undefined ? [] : await parameters.keyAccess(account, parameter.name, 'Decrypt', key);
            for (const access of ofKey) await this.#allow(access);
            values.set(name, (await parameters.value(account, parameter, version)).clear);
          } catch (error) {
            if (!(error instanceof AwsError) || /^(?:AccessDenied|InvalidKeyId)/.test(error.code)) throw error;
            invalid.push(name);
          }
        }
        if (invalid.length > 0) this.#reasons.push(`${where}: invalid parameters: ${invalid.join(',')}`);
      } catch (error) {
        this.#refused(error, where);
      }
    }
  }

  async #parameterAccess(names: readonly string[]): Promise<AccessRequest> {
    const { parameters, region } = this.#options;
    const { account } = this.#principal;
    const resources = await Promise.all(
      names.map(async (name) => {
        const found = await parameters.find(account, name);
        const asked = readReference({ region, account }, name);
        const arn = asked === undefined ? name : parameterArn({ region, account }, found?.name ?? asked.name);
        return found === undefined ? { arn } : { arn, tags: found.tags };
      }),
    );
    return { action: 'ssm:GetParameters', resources };
  }

  async #secret(source: string): Promise<string> {
    const { secrets, region } = this.#options;
    const { account } = this.#principal;
    const { arn, key, choice } = readSource(source);
    const where = `fetching secret data from AWS Secrets Manager in region ${region}: secret ${arn}`;
    const asked = JSON.stringify([arn, choice.stage, choice.versionId]);
    const known = this.#texts.get(asked);
    if (known !== undefined) return key === '' ? known : jsonMember(arn, known, key);
    try {
      for (const access of await secrets.readAccess(account, arn, choice)) await this.#allow(access);
      const secret = await secrets.find(account, arn);
      if (secret === undefined)
        throw new TaskSecretsRefused(
          `ResourceNotFoundException: The task can't retrieve the secret with ARN '${arn}' from AWS Secrets Manager. Check whether the secret exists in the specified Region`,
        );
      const { value } = await secrets.value(account, secret, choice, (access) => this.#allow(access));
      if (value.kind === 'binary') throw new TaskSecretsRefused(`${where}: it is binary, and no text for a container`);
      this.#texts.set(asked, value.text);
      return key === '' ? value.text : jsonMember(arn, value.text, key);
    } catch (error) {
      if (error instanceof AwsError) throw new TaskSecretsRefused(`${where}: ${error.code}: ${error.message}`);
      throw error;
    }
  }

  /** @throws AwsError when the execution role may not */
  async #allow(access: AccessRequest): Promise<void> {
    const call = callOf(this.#options, this.#principal);
    const { allowed, reason, resource } = await this.#options.authorizer.authorize(this.#principal, access, call);
    if (allowed) return;
    throw new AwsError(
      'AccessDeniedException',
      `User: ${this.#principal.arn} is not authorized to perform: ${access.action} on resource: ${resource ?? access.resources[0]?.arn} because ${reason}`,
    );
  }

  /** Notes why something cannot be read; what may pass (the store is away) goes on. */
  #refused(error: unknown, where = ''): void {
    if (error instanceof TaskSecretsRefused) this.#reasons.push(error.message);
    else if (error instanceof AwsError) this.#reasons.push(`${where}: ${error.code}: ${error.message}`);
    else throw error;
  }
}

/** `arn:…:secret:name-AbCdEf`, or that with `:json-key:label:version` behind it. @throws TaskSecretsRefused */
function readSource(source: string): { readonly arn: string; readonly key: string; readonly choice: VersionChoice } {
  const mark = ':secret:';
  const at = source.indexOf(mark) + mark.length;
  const [name = '', key = '', stage = '', versionId = '', ...more] = source.slice(at).split(':');
  const parts = source.slice(at).split(':').length;
  if (at < mark.length || (parts !== 1 && parts !== 4) || more.length > 0)
    throw new TaskSecretsRefused(
      'an invalid ARN format for the AWS Secrets Manager secret was specified. Specify a valid ARN and try again.',
    );
  return {
    arn: source.slice(0, at) + name,
    key,
    choice: {
      ...(stage === '' ? {} : { stage }),
      ...(versionId === '' ? {} : { versionId }),
    },
  };
}
