import { exportSPKI, generateKeyPair, importJWK, type JWK, SignJWT, type JWTHeaderParameters } from 'jose';
import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '@slipway/storage/clock';
import { openSqliteRecords, type RecordStore, StoreUnavailable } from '@slipway/storage/records';
import { testSealer } from '../gateway/testing/front-door.ts';
import type { Principal } from '../contract/index.ts';
import { TokenService } from './index.ts';

const principal: Principal = {
  type: 'user',
  account: '000000000000',
  arn: 'arn:aws:iam::000000000000:user/a',
  id: 'AIDA1',
  accessKeyId: 'AKIA1',
};
const hour = 3_600_000;
const day = 24 * hour;

describe('the token service', () => {
  let folder: string;
  let records: RecordStore;
  let partition = 0;
  const clock = { offset: 0, now: () => Date.now() + clock.offset };
  const sealer = testSealer();
  /** A store whose partitions are this test's own. */
  const own = (): RecordStore => {
    const name = `tokens-${++partition}`;
    return new Proxy(records, {
      get: (target, member) => {
        const value: unknown = Reflect.get(target, member);
        return typeof value === 'function'
          ? (_partition: string, ...rest: unknown[]) =>
              (value as (...all: unknown[]) => unknown).call(target, name, ...rest)
          : value;
      },
    });
  };
  const service = (store: RecordStore): TokenService =>
    new TokenService({ records: store, clock, sealer, issuer: 'slipway:test', region: 'us-east-1' });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'slipway-tokens-'));
    records = await openSqliteRecords({ file: join(folder, 'records.sqlite') }, systemClock);
  });
  afterAll(async () => {
    await records.close();
    await rm(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    clock.offset = 0;
  });

  /** The service, and the means to forge tokens with its own key. */
  async function forge(): Promise<{
    tokens: TokenService;
    sign: (claims?: object, header?: object) => Promise<string>;
    good: string;
    store: RecordStore;
  }> {
    const store = own();
    const tokens = service(store);
    const good = (await tokens.issueAuthorization(principal)).password;
    const { records: keys } = await store.list<{ kid: string; privateJwk: string }>('tokens', { prefix: 'key/' });
    const { kid, privateJwk } = (keys[0] as { value: { kid: string; privateJwk: string } }).value;
    const key = await importJWK(JSON.parse(sealer.open(privateJwk, `token-key/${kid}`)) as JWK, 'EdDSA');
    const now = Math.floor(Date.now() / 1000);
    const sign = (claims: object = {}, header: object = {}): Promise<string> => {
      const body = {
        principal,
        iss: 'slipway:test',
        aud: 'slipway:ecr',
        sub: 'AIDA1',
        jti: 'one',
        iat: now,
        exp: now + 60,
        ...claims,
      };
      return new SignJWT(JSON.parse(JSON.stringify(body)) as object as never)
        .setProtectedHeader({ alg: 'EdDSA', kid, typ: 'slipway-ecr+jwt', ...header } as JWTHeaderParameters)
        .sign(key);
    };
    return { tokens, sign, good, store };
  }
  const accepted = (tokens: TokenService, token: string): Promise<boolean> =>
    tokens.verify('authorization', token).then(
      () => true,
      (error: Error) => {
        if (error.name !== 'TokenError') throw error;
        return false;
      },
    );

  test('an authorization token carries its caller and nothing else', async () => {
    const tokens = service(own());
    const before = Math.floor(Date.now() / 1000) * 1000;
    const { token, password, expiresAt } = await tokens.issueAuthorization({
      ...principal,
      secret: 'hidden',
    } as Principal);
    expect(Buffer.from(token, 'base64').toString()).toBe(`AWS:${password}`);
    expect(expiresAt - before).toBeGreaterThanOrEqual(12 * hour);
    expect((await tokens.verify('authorization', password)).principal).toEqual(principal);
    expect(Buffer.from(password.split('.')[1] as string, 'base64url').toString()).not.toContain('hidden');
  });

  test('J1: another algorithm, none, or a key used as a secret is refused', async () => {
    const { tokens, good, sign } = await forge();
    expect(await accepted(tokens, await sign())).toBe(true);
    const [, payload] = good.split('.') as [string, string, string];
    const encode = (header: object): string => Buffer.from(JSON.stringify(header)).toString('base64url');
    const { kid } = JSON.parse(Buffer.from(good.split('.')[0] as string, 'base64url').toString()) as { kid: string };
    for (const alg of ['none', 'NONE', undefined]) {
      expect(await accepted(tokens, `${encode({ alg, kid, typ: 'slipway-ecr+jwt' })}.${payload}.`)).toBe(false);
    }
    const { publicKey } = await generateKeyPair('EdDSA', { extractable: true });
    const head = encode({ alg: 'HS256', kid, typ: 'slipway-ecr+jwt' });
    const mac = createHmac('sha256', await exportSPKI(publicKey))
      .update(`${head}.${payload}`)
      .digest('base64url');
    expect(await accepted(tokens, `${head}.${payload}.${mac}`)).toBe(false);
  });

  test('J3: a key that the token brings itself is not used', async () => {
    const { tokens, good } = await forge();
    const { kid } = JSON.parse(Buffer.from(good.split('.')[0] as string, 'base64url').toString()) as { kid: string };
    const { privateKey, publicKey } = await generateKeyPair('EdDSA', { extractable: true });
    const { exportJWK } = await import('jose');
    const now = Math.floor(Date.now() / 1000);
    for (const header of [
      { kid },
      { kid, jwk: await exportJWK(publicKey) },
      { kid: undefined, jwk: await exportJWK(publicKey) },
      { kid, jku: 'http://127.0.0.1:1/x' },
      { kid, x5u: 'http://127.0.0.1:1/x' },
    ]) {
      const token = await new SignJWT({ principal, jti: 'x', sub: 'x' } as never)
        .setProtectedHeader({ alg: 'EdDSA', typ: 'slipway-ecr+jwt', ...header } as JWTHeaderParameters)
        .setIssuer('slipway:test')
        .setAudience('slipway:ecr')
        .setIssuedAt(now)
        .setExpirationTime(now + 60)
        .sign(privateKey);
      expect(await accepted(tokens, token)).toBe(false);
    }
  });

  test.each([
    ['J4: no exp', { exp: undefined }],
    ['J4: exp in the year 9999', { exp: 253_370_764_800 }],
    ['J4: a longer life than 12 hours', { exp: Math.floor(Date.now() / 1000) + 13 * 3600 }],
    ['J4: no iat', { iat: undefined }],
    ['J4: iat in the future', { iat: Math.floor(Date.now() / 1000) + 600, exp: Math.floor(Date.now() / 1000) + 700 }],
    ['J4: nbf in the future', { nbf: Math.floor(Date.now() / 1000) + 600 }],
    ['J4: over', { iat: Math.floor(Date.now() / 1000) - 100, exp: Math.floor(Date.now() / 1000) - 50 }],
    ['J4: no jti', { jti: undefined }],
    ['J5: no issuer', { iss: undefined }],
    ['J5: another issuer', { iss: 'slipway:other' }],
    ['J5: no audience', { aud: undefined }],
    ['J5: another audience', { aud: 'slipway:registry' }],
    ['J5: ours among several', { aud: ['slipway:ecr', 'other'] }],
    ['no principal', { principal: undefined }],
  ])('%s is refused', async (_name, claims) => {
    const { tokens, sign } = await forge();
    expect(await accepted(tokens, await sign(claims))).toBe(false);
  });

  test('J5, J6: a token of one use is none of another', async () => {
    const { tokens, sign } = await forge();
    expect(await accepted(tokens, await sign({}, { typ: 'JWT' }))).toBe(false);
    expect(await accepted(tokens, await sign({}, { typ: undefined }))).toBe(false);
    const issued = {
      authorization: (await tokens.issueAuthorization(principal)).password,
      access: (await tokens.issueAccess(principal, [])).token,
      service: (await tokens.issueService(principal)).token,
    };
    for (const use of ['authorization', 'access', 'service'] as const) {
      for (const [made, token] of Object.entries(issued)) {
        const result = await tokens.verify(use, token).then(
          () => true,
          () => false,
        );
        expect([use, made, result]).toEqual([use, made, use === made]);
      }
    }
  });

  test('J13: long and malformed tokens are refused before any cryptography', async () => {
    const { tokens, good } = await forge();
    for (const token of [
      '',
      '.',
      '..',
      'a.b.c',
      `${good}.x`,
      good.slice(0, -2),
      good.replace('.', '..'),
      'x'.repeat(1024 * 1024),
      `${'['.repeat(10_000)}.a.b`,
    ]) {
      expect(await accepted(tokens, token)).toBe(false);
    }
    // What is too long is not read at all, so that its length makes no work.
    for (const size of [12 * 1024 + 1, 1024 * 1024])
      await expect(tokens.verify('authorization', '['.repeat(size))).rejects.toThrow('the token is too long');
    await expect(tokens.verify('authorization', '['.repeat(12 * 1024))).rejects.not.toThrow('the token is too long');
  });

  test('J14: keys rotate with overlap, and a retired one verifies nothing', async () => {
    const store = own();
    const [one, two] = [service(store), service(store)];
    const old = await one.issueAuthorization(principal);
    const kidOf = (token: string): string =>
      (JSON.parse(Buffer.from(token.split('.')[0] as string, 'base64url').toString()) as { kid: string }).kid;
    expect((await two.verify('authorization', old.password)).principal.id).toBe('AIDA1');
    clock.offset = 30 * day - 90_000;
    const before = await one.issueAuthorization(principal);
    expect(kidOf(before.password)).toBe(kidOf(old.password));
    clock.offset = 30 * day + 1000;
    const after = await one.issueAuthorization(principal);
    expect(kidOf(after.password)).not.toBe(kidOf(old.password));
    expect((await two.verify('authorization', after.password)).id).toBeTruthy();
    expect((await two.verify('authorization', before.password)).id).toBeTruthy();
    clock.offset = 30 * day + 13 * hour;
    await service(store).issueAuthorization(principal);
    const { records: left } = await store.list('tokens', { prefix: 'key/' });
    expect(left.map(({ key }) => key)).toEqual([`key/${kidOf(after.password)}`]);
  });

  test('J14: two servers that start at the same time use one key', async () => {
    const store = own();
    const issued = await Promise.all(Array.from({ length: 5 }, () => service(store).issueAuthorization(principal)));
    const { records: keys } = await store.list('tokens', { prefix: 'key/' });
    expect(keys).toHaveLength(1);
    const reader = service(store);
    for (const { password } of issued)
      expect((await reader.verify('authorization', password)).principal.id).toBe('AIDA1');
  });

  test('J14: a flood of unknown key ids reads the store at most once a second', async () => {
    const { store } = await forge();
    let reads = 0;
    const counting = new Proxy(store, {
      get: (target, member) => {
        if (member === 'list') reads++;
        return Reflect.get(target, member) as unknown;
      },
    });
    const tokens = service(counting);
    for (let i = 0; i < 500; i++) {
      const header = Buffer.from(
        JSON.stringify({ alg: 'EdDSA', kid: `k${1000 + i}`, typ: 'slipway-ecr+jwt' }),
      ).toString('base64url');
      expect(await accepted(tokens, `${header}.e30.AA`)).toBe(false);
    }
    expect(reads).toBeLessThanOrEqual(3);
  });

  test('a store that fails is not taken for a bad token', async () => {
    const { good } = await forge();
    const failing = new Proxy(records, {
      get: () => () => Promise.reject(new StoreUnavailable('gone', 'not-committed')),
    });
    await expect(service(failing).verify('authorization', good)).rejects.toBeInstanceOf(StoreUnavailable);
  });

  test('private keys cannot be read in the store', async () => {
    const { store } = await forge();
    const { records: keys } = await store.list('tokens', { prefix: 'key/' });
    expect(JSON.stringify(keys)).not.toContain('"d"');
  });

  test('a token cut to scopes carries them as a policy that must allow as well', async () => {
    const tokens = service(own());
    const session = { ...principal, restrictions: ['{"a session policy":1}'] };
    const { token } = await tokens.issueAccess(session, [{ type: 'repository', name: 'a/b', actions: ['pull'] }]);
    const { restrictions } = (await tokens.verify('access', token)).principal;
    expect(restrictions).toHaveLength(2);
    expect(restrictions?.[0]).toBe('{"a session policy":1}');
    const { Statement } = JSON.parse(restrictions?.[1] as string) as {
      Statement: { Action: string[]; Resource: string }[];
    };
    expect(Statement).toHaveLength(1);
    expect(Statement[0]).toMatchObject({
      Effect: 'Allow',
      Resource: 'arn:aws:ecr:us-east-1:000000000000:repository/a/b',
    });
    expect(Statement[0]?.Action).toContain('ecr:BatchGetImage');
    expect(Statement[0]?.Action).not.toContain('ecr:PutImage');
  });
});
