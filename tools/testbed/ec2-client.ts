import { modelOf, type OperationModel } from '@slipway/auth/protocol';
import { ec2Schemas } from '@slipway/scheduler/network/ec2';
import aws4 from 'aws4';

type Schema = OperationModel['input'];

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** A call of EC2's API, as the commands of SDK clients are. */
class Command {
  readonly name: string;
  readonly input: object;
  constructor(name: string, input: object) {
    this.name = name;
    this.input = input;
  }
}

/**
 * A client of EC2's API in the place of the SDK's, which takes 73 MiB: for tests that call whatever is served by its schemas. What
 * answers hold is read by the AWS CLI and Terraform in tests of their own.
 */
export class Ec2Client {
  readonly #endpoint: string;
  readonly #region: string;
  readonly #credentials: Key | (() => Promise<Key>);
  readonly #unsigned: boolean;

  /** @param options as the SDK's clients take them; with a `signer` requests are sent without a signature */
  constructor(options: {
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: Key | (() => Promise<Key>);
    readonly signer?: unknown;
  }) {
    this.#endpoint = options.endpoint;
    this.#region = options.region;
    this.#credentials = options.credentials;
    this.#unsigned = options.signer !== undefined;
  }

  /** @returns the answer's text. @throws an error as SDK clients throw it */
  async send({ name, input }: Command): Promise<object> {
    const form = new URLSearchParams({ Action: name, Version: '2016-11-15' });
    const model = modelOf(ec2Schemas).operations.get(name);
    if (model !== undefined) write(form, '', model.input, input);
    const body = form.toString();
    const { host } = new URL(this.#endpoint);
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const request = { host, method: 'POST', path: '/', service: 'ec2', region: this.#region, headers, body };
    const key = typeof this.#credentials === 'function' ? await this.#credentials() : this.#credentials;
    const signed = this.#unsigned ? headers : (aws4.sign(request, key).headers as Record<string, string>);
    const response = await fetch(this.#endpoint, { method: 'POST', headers: signed, body });
    const text = await response.text();
    if (response.ok) return { text };
    const [, code = '', message = ''] = /<Code>([^<]*)<\/Code><Message>([^<]*)/.exec(text) ?? [];
    throw Object.assign(new Error(message), { name: code, $metadata: { httpStatusCode: response.status } });
  }

  destroy(): void {}
}

/** Schemas and commands under the names that an SDK client module has for them. */
export const ec2Module: Readonly<Record<string, unknown>> = {
  ...ec2Schemas,
  ...Object.fromEntries(
    [...modelOf(ec2Schemas).operations.keys()].map((name) => [
      `${name}Command`,
      class extends Command {
        constructor(input: object) {
          super(name, input);
        }
      },
    ]),
  ),
};

/** Writes a value as EC2's protocol has it: members by their names on the wire with a capital, list elements numbered. */
function write(form: URLSearchParams, path: string, schema: Schema, value: unknown): void {
  if (value === undefined) return;
  if (schema.isListSchema()) {
    for (const [index, element] of (value as readonly unknown[]).entries())
      write(form, `${path}.${index + 1}`, schema.getValueSchema(), element);
  } else if (schema.isStructSchema()) {
    for (const [name, member] of schema.structIterator()) {
      const wire = (member.getMergedTraits() as { readonly xmlName?: string }).xmlName ?? name;
      const key = wire.charAt(0).toUpperCase() + wire.slice(1);
      write(form, path === '' ? key : `${path}.${key}`, member, (value as Readonly<Record<string, unknown>>)[name]);
    }
  } else form.set(path, String(value as string | number | boolean));
}
