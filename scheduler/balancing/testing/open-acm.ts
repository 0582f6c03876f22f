import { AwsError, type Call } from '@slipway/auth/contract';
import { codecFor, InputError, modelOf } from '@slipway/auth/protocol';
import { systemClock } from '@slipway/storage/clock';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

import { acmSchemas, createAcm } from '../acm/index.ts';
import { Balancers } from '../records/index.ts';

import { account, type Answer, region, type TestBalancing } from './open-balancing.ts';

/** Seals with a key of its own, as the installation's does. */
export function testSealer() {
  const key = randomBytes(32);
  return {
    seal(plain: string, purpose: string): string {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(purpose));
      return Buffer.concat([nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString(
        'base64',
      );
    },
    open(sealed: string, purpose: string): string {
      const bytes = Buffer.from(sealed, 'base64');
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12)).setAAD(Buffer.from(purpose));
      decipher.setAuthTag(bytes.subarray(-16));
      return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString('utf8');
    },
  };
}

/** The API of ACM on the records of a load balancing. */
export function openAcm({ records }: Pick<TestBalancing, 'records'>) {
  /** Milliseconds by which the API's clock is ahead. */
  const clock = { ahead: 0 };
  const sealer = testSealer();
  const balancers = new Balancers({
    records,
    clock: { ...systemClock, now: () => systemClock.now() + clock.ahead },
    random: randomBytes,
  });
  const service = createAcm({ records, balancers, random: randomBytes, region, sealer });
  const [protocol] = service.protocols;
  if (protocol === undefined) throw new Error('the service has no protocol');
  const codec = codecFor(protocol);
  const model = modelOf(acmSchemas);
  const callOf = (as: string): Call =>
    ({
      account: as,
      region,
      endpoint: 'http://127.0.0.1:7500',
      time: new Date(systemClock.now() + clock.ahead),
    }) as Call;
  const operationOf = (name: string) => {
    const found = service.operations[name] as unknown as {
      access: (
        input: object,
        call: Call,
      ) => Promise<readonly { action: string; resources: { arn: string }[]; context: object }[]>;
      handle: (input: object, call: Call) => Promise<Answer>;
    };
    const shapes = model.operations.get(name);
    if (found === undefined || shapes === undefined) throw new Error(`there is no operation ${name}`);
    return { ...found, shapes };
  };
  const read = (name: string, input: object): object => {
    const json = JSON.stringify(
      Object.fromEntries(
        Object.entries(input).map(([key, value]: [string, unknown]) => [
          key,
          value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
        ]),
      ),
    );
    try {
      return codec.decode(operationOf(name).shapes, Buffer.from(json), service.constraints ?? {});
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      const { code, message } = codec.inputError(error, model);
      throw new AwsError(code, message);
    }
  };
  /** Calls an operation as the gateway does. @returns what a client reads */
  const call = async (name: string, input: object = {}, as = account): Promise<Answer> => {
    const decoded = read(name, input);
    const { access, handle, shapes } = operationOf(name);
    await access(decoded, callOf(as));
    const { body } = codec.encode(shapes, (await handle(decoded, callOf(as))) as unknown, 'request') as {
      body: Buffer;
    };
    return JSON.parse(body.toString('utf8')) as Answer;
  };
  return {
    clock,
    sealer,
    balancers,
    call,
    access: async (name: string, input: object = {}) =>
      (await operationOf(name).access(read(name, input), callOf(account))).map(({ action, resources, context }) => ({
        action,
        on: resources.map(({ arn }) => arn),
        context,
      })),
    refusal: (name: string, input: object = {}, as?: string): Promise<string> =>
      call(name, input, as).then(
        (answer) => Promise.reject(new Error(`${name} was not refused: ${JSON.stringify(answer)}`)),
        (error: unknown) => {
          if (error instanceof AwsError) return `${error.code}: ${error.message}`;
          throw error;
        },
      ),
    /** Imports a certificate. @returns its ARN */
    importIt: async (
      { certificate, key }: { readonly certificate: string; readonly key: string },
      more: object = {},
    ): Promise<string> =>
      (
        await call('ImportCertificate', {
          Certificate: Buffer.from(certificate),
          PrivateKey: Buffer.from(key),
          ...more,
        })
      ).CertificateArn,
  };
}
