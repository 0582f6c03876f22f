import { systemClock } from '@slipway/storage/clock';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

import { acmSchemas, createAcm } from '../acm/index.ts';
import { Balancers } from '../records/index.ts';

import { type Answer, callerOf, region } from './caller.ts';
import type { TestBalancing } from './open-balancing.ts';

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
export function openAcm(
  { records }: Pick<TestBalancing, 'records'>,
  authority?: { readonly ownNames: readonly string[] },
) {
  /** Milliseconds by which the API's clock is ahead. */
  const clock = { ahead: 0 };
  const sealer = testSealer();
  const balancers = new Balancers({
    records,
    clock: { ...systemClock, now: () => systemClock.now() + clock.ahead },
    random: randomBytes,
  });
  const service = createAcm({ records, balancers, random: randomBytes, region, sealer, authority });
  const { call, access, refusal } = callerOf(service, acmSchemas, {
    write: (_name, _shapes, input) => {
      const members = Object.entries(input).map(([key, value]: [string, unknown]) => [
        key,
        value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
      ]);
      return Buffer.from(JSON.stringify(Object.fromEntries(members)));
    },
    read: (_answer, body) => JSON.parse((body as Buffer).toString('utf8')) as Answer,
    now: () => systemClock.now() + clock.ahead,
  });
  return {
    clock,
    sealer,
    balancers,
    call,
    access: async (name: string, input?: object) =>
      (await access(name, input)).map(({ action, resources, context }) => ({
        action,
        on: resources.map(({ arn }) => arn),
        context,
      })),
    refusal,
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
