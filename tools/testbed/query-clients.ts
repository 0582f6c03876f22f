import { modelOf, type OperationModel } from '@slipway/auth/protocol';
import { acmSchemas } from '@slipway/scheduler/balancing/acm';
import { elbSchemas } from '@slipway/scheduler/balancing/elb';
import { elbv2Schemas } from '@slipway/scheduler/balancing/elbv2';
import { ec2Schemas } from '@slipway/scheduler/network/ec2';
import { sessionSchemas } from '@slipway/scheduler/exec/api';
import { kmsSchemas } from '@slipway/scheduler/settings/keys';
import { parametersSchemas } from '@slipway/scheduler/settings/parameters';
import { secretsSchemas } from '@slipway/scheduler/settings/secrets';
import { autoScalingSchemas } from '@slipway/scheduler/scaling/autoscaling';
import { scalingSchemas } from '@slipway/scheduler/scaling/api';
import { alarmSchemas } from '@slipway/scheduler/signals/alarms';
import { logsSchemas } from '@slipway/scheduler/signals/logs';
import { cloudWatchSchemas } from '@slipway/scheduler/signals/metrics';
import aws4 from 'aws4';

type Schema = OperationModel['input'];

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

type Schemas = Readonly<Record<string, unknown>>;

/** A service whose shapes are written by hand, and how it is spoken to. */
interface Spoken {
  readonly service: string;
  readonly version: string;
  readonly schemas: Schemas;
  /** Whether members have their names of EC2's protocol. */
  readonly isEc2: boolean;
  /** Of JSON 1.1; without it, the service speaks Query. */
  readonly target?: string;
}
const spoken = {
  ec2: { service: 'ec2', version: '2016-11-15', schemas: ec2Schemas, isEc2: true },
  acm: { service: 'acm', version: '2015-12-08', schemas: acmSchemas, isEc2: false, target: 'CertificateManager' },
  logs: { service: 'logs', version: '2014-03-28', schemas: logsSchemas, isEc2: false, target: 'Logs_20140328' },
  secrets: {
    service: 'secretsmanager',
    version: '2017-10-17',
    schemas: secretsSchemas,
    isEc2: false,
    target: 'secretsmanager',
  },
  kms: { service: 'kms', version: '2014-11-01', schemas: kmsSchemas, isEc2: false, target: 'TrentService' },
  ssm: {
    service: 'ssm',
    version: '2014-11-06',
    schemas: { ...parametersSchemas, ...sessionSchemas },
    isEc2: false,
    target: 'AmazonSSM',
  },
  cloudWatch: {
    service: 'monitoring',
    version: '2010-08-01',
    schemas: { ...cloudWatchSchemas, ...alarmSchemas },
    isEc2: false,
  },
  scaling: {
    service: 'application-autoscaling',
    version: '2016-02-06',
    schemas: scalingSchemas,
    isEc2: false,
    target: 'AnyScaleFrontendService',
  },
  groups: { service: 'autoscaling', version: '2011-01-01', schemas: autoScalingSchemas, isEc2: false },
  classic: { service: 'elasticloadbalancing', version: '2012-06-01', schemas: elbSchemas, isEc2: false },
  elb: { service: 'elasticloadbalancing', version: '2015-12-01', schemas: elbv2Schemas, isEc2: false },
} as const satisfies Record<string, Spoken>;

/** A call of a service's API, as the commands of SDK clients are. */
class Command {
  readonly name: string;
  readonly input: object;
  constructor(name: string, input: object) {
    this.name = name;
    this.input = input;
  }
}

/**
 * A client of a service in the place of the SDK's: for tests that call whatever is served by its schemas. What answers hold is read by
 * the AWS CLI and Terraform in tests of their own.
 */
class QueryClient {
  readonly #spoken: Spoken;
  readonly #endpoint: string;
  readonly #region: string;
  readonly #credentials: Key | (() => Promise<Key>);
  readonly #unsigned: boolean;

  /** @param options as the SDK's clients take them; with a `signer` requests are sent without a signature */
  constructor(
    of: Spoken,
    options: {
      readonly endpoint: string;
      readonly region: string;
      readonly credentials: Key | (() => Promise<Key>);
      readonly signer?: unknown;
    },
  ) {
    this.#spoken = of;
    this.#endpoint = options.endpoint;
    this.#region = options.region;
    this.#credentials = options.credentials;
    this.#unsigned = options.signer !== undefined;
  }

  /** @returns the answer's text. @throws an error as SDK clients throw it */
  async send({ name, input }: Command): Promise<object> {
    const { service } = this.#spoken;
    const { body, headers } = this.#write(name, input);
    const { host } = new URL(this.#endpoint);
    const request = { host, method: 'POST', path: '/', service, region: this.#region, headers, body };
    const key = typeof this.#credentials === 'function' ? await this.#credentials() : this.#credentials;
    const signed = this.#unsigned ? headers : (aws4.sign(request, key).headers as Record<string, string>);
    const response = await fetch(this.#endpoint, { method: 'POST', headers: signed, body });
    const text = await response.text();
    if (response.ok) return { text };
    const [, code = '', message = ''] =
      /<Code>([^<]*)<\/Code>\s*<Message>([^<]*)/.exec(text) ??
      /"__type":"([^"]*)".*"message":"([^"]*)/.exec(text) ??
      [];
    throw Object.assign(new Error(message), { name: code, $metadata: { httpStatusCode: response.status } });
  }

  #write(name: string, input: object): { readonly body: string; readonly headers: Record<string, string> } {
    const { version, schemas, isEc2, target } = this.#spoken;
    if (target !== undefined) {
      const members = Object.entries(input).map(([key, value]: [string, unknown]) => [
        key,
        value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
      ]);
      const headers = { 'Content-Type': 'application/x-amz-json-1.1', 'X-Amz-Target': `${target}.${name}` };
      return { body: JSON.stringify(Object.fromEntries(members)), headers };
    }
    const form = new URLSearchParams({ Action: name, Version: version });
    const model = modelOf(schemas).operations.get(name);
    if (model !== undefined) (isEc2 ? writeEc2 : writeQuery)(form, '', model.input, input);
    return { body: form.toString(), headers: { 'Content-Type': 'application/x-www-form-urlencoded' } };
  }

  destroy(): void {}
}

type Options = ConstructorParameters<typeof QueryClient>[1];

export class Ec2Client extends QueryClient {
  constructor(options: Options) {
    super(spoken.ec2, options);
  }
}

export class AcmClient extends QueryClient {
  constructor(options: Options) {
    super(spoken.acm, options);
  }
}

export class ClassicClient extends QueryClient {
  constructor(options: Options) {
    super(spoken.classic, options);
  }
}

export class LogsClient extends QueryClient {
  constructor(options: Options) {
    super(spoken.logs, options);
  }
}

export class SecretsClient extends QueryClient {
  constructor(options: Options) {
    super(spoken.secrets, options);
  }
}

export class KmsClient extends QueryClient {
  constructor(options: Options) {
    super(spoken.kms, options);
  }
}

export class SsmClient extends QueryClient {
  constructor(options: Options) {
    super(spoken.ssm, options);
  }
}

export class CloudWatchClient extends QueryClient {
  constructor(options: Options) {
    super(spoken.cloudWatch, options);
  }
}

export class ScalingClient extends QueryClient {
  constructor(options: Options) {
    super(spoken.scaling, options);
  }
}

export class GroupsClient extends QueryClient {
  constructor(options: Options) {
    super(spoken.groups, options);
  }
}

export class ElbClient extends QueryClient {
  constructor(options: Options) {
    super(spoken.elb, options);
  }
}

/** Schemas and commands under the names that an SDK client module has for them. */
const moduleOf = ({ schemas }: Spoken): Schemas => ({
  ...schemas,
  ...Object.fromEntries(
    [...modelOf(schemas).operations.keys()].map((name) => [
      `${name}Command`,
      class extends Command {
        constructor(input: object) {
          super(name, input);
        }
      },
    ]),
  ),
});
export const ec2Module: Schemas = moduleOf(spoken.ec2);
export const acmModule: Schemas = moduleOf(spoken.acm);
export const classicModule: Schemas = moduleOf(spoken.classic);
export const logsModule: Schemas = moduleOf(spoken.logs);
export const secretsModule: Schemas = moduleOf(spoken.secrets);
export const kmsModule: Schemas = moduleOf(spoken.kms);
export const ssmModule: Schemas = moduleOf(spoken.ssm);
export const cloudWatchModule: Schemas = moduleOf(spoken.cloudWatch);
export const scalingModule: Schemas = moduleOf(spoken.scaling);
export const groupsModule: Schemas = moduleOf(spoken.groups);
export const elbModule: Schemas = moduleOf(spoken.elb);

/** Writes a value as the Query protocol has it: list elements under `member`. */
function writeQuery(form: URLSearchParams, path: string, schema: Schema, value: unknown): void {
  if (value === undefined) return;
  if (schema.isListSchema()) {
    for (const [index, element] of (value as readonly unknown[]).entries())
      writeQuery(form, `${path}.member.${index + 1}`, schema.getValueSchema(), element);
  } else if (schema.isStructSchema()) {
    for (const [name, member] of schema.structIterator())
      writeQuery(
        form,
        path === '' ? name : `${path}.${name}`,
        member,
        (value as Readonly<Record<string, unknown>>)[name],
      );
  } else form.set(path, value instanceof Date ? value.toISOString() : String(value as string | number | boolean));
}

/** Writes a value as EC2's protocol has it: members by their names on the wire with a capital, list elements numbered. */
function writeEc2(form: URLSearchParams, path: string, schema: Schema, value: unknown): void {
  if (value === undefined) return;
  if (schema.isListSchema()) {
    for (const [index, element] of (value as readonly unknown[]).entries())
      writeEc2(form, `${path}.${index + 1}`, schema.getValueSchema(), element);
  } else if (schema.isStructSchema()) {
    for (const [name, member] of schema.structIterator()) {
      const wire = (member.getMergedTraits() as { readonly xmlName?: string }).xmlName ?? name;
      const key = wire.charAt(0).toUpperCase() + wire.slice(1);
      writeEc2(form, path === '' ? key : `${path}.${key}`, member, (value as Readonly<Record<string, unknown>>)[name]);
    }
  } else form.set(path, String(value as string | number | boolean));
}
