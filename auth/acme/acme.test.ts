import { once } from 'node:events';
import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { systemClock } from '@slipway/storage/clock';
import { openStorage } from '@slipway/storage/engine';
import { openLeases } from '@slipway/storage/leases';
import { openSqliteRecords, type RecordStore } from '@slipway/storage/records';
import { RedisServer, redisMissing } from '@slipway/storage/records/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createOutbound } from '../outbound/index.ts';
import { createSeal } from '../identity/seal.ts';
import { openAccount } from './account.ts';
import { openAuthority, type Ordered } from './authority.ts';
import { AcmeSession } from './session.ts';
import type { AcmeSettings } from './settings.ts';
import { acmePartition as partition } from './keys.ts';
import { AcmeStore, readTrouble, requestRenewal } from './store.ts';
import type { KeyKind } from './x509.ts';
import { type AcmeServer, sealKey, settingsFor, startServer } from './testing/acme-server.ts';
import { Pebble, pebbleMissing } from './testing/pebble.ts';

const missing = pebbleMissing ?? redisMissing;
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const until = <T>(look: () => T | Promise<T>): Promise<T> => vi.waitFor(look, { timeout: 60_000, interval: 50 });

/** What is there at last. */
const present = <T>(look: () => Promise<T | undefined>): Promise<T> =>
  until(async () => {
    const found = await look();
    if (found === undefined) throw new Error('it is not there yet');
    return found;
  });

const issuerOf = (server: AcmeServer): string => new X509Certificate(server.certificates.current.cert).issuer;
const issued = (server: AcmeServer): Promise<void> => until(() => expect(issuerOf(server)).toContain('Pebble'));
/** It is counted a moment after the records say it. */
const counted = (server: AcmeServer, result: 'issued' | 'failed', count: string): Promise<void> =>
  until(async () => expect(await server.metric(`slipway_acme_orders_total{result="${result}"}`)).toBe(count));
const peer = (socket: TLSSocket): X509Certificate => socket.getPeerX509Certificate() as X509Certificate;

/** A request on a connection that is open already. */
async function ask(socket: TLSSocket): Promise<string> {
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  return answer.toString();
}

describe.skipIf(missing !== undefined)(`with a real authority${missing === undefined ? '' : ` (${missing})`}`, () => {
  let pebble: Pebble;
  let folder: string;
  let records: RecordStore;

  beforeAll(async () => {
    pebble = await Pebble.start({ profiles: { brief: 12, short: 120 } });
  });
  afterAll(() => pebble?.dispose());

  /** A store of its own for each test. */
  const open = async (): Promise<AsyncDisposable> => {
    folder = await mkdtemp(join(tmpdir(), 'slipway-acme-'));
    records = await openSqliteRecords({ file: join(folder, 'records.sqlite') }, systemClock);
    return {
      [Symbol.asyncDispose]: async () => {
        await records.close();
        await rm(folder, { recursive: true });
      },
    };
  };
  const start = (change: Partial<AcmeSettings> = {}): Promise<AcmeServer> =>
    startServer({ records, settings: settingsFor(pebble, change) });
  const trouble = () => present(() => readTrouble(records));

  test('a certificate is ordered and served; what was connected stays; secrets are sealed', async () => {
    await using _ = await open();
    await using server = await start({ names: ['registry.example.com', 'www.example.com', '127.0.0.1'] });
    const before = await server.connect();
    expect(peer(before).subject).toContain('no certificate yet');
    await issued(server);
    const served = peer(await server.connect());
    expect(served.checkHost('registry.example.com')).toBe('registry.example.com');
    expect([served.checkHost('www.example.com'), served.checkIP('127.0.0.1')]).toEqual([
      'www.example.com',
      '127.0.0.1',
    ]);
    const chain = server.certificates.current.cert.match(/-----BEGIN[^]*?-----END CERTIFICATE-----\n/g) ?? [];
    expect(chain).toHaveLength(2);
    const intermediate = new X509Certificate(chain[1] ?? '');
    expect(served.verify(intermediate.publicKey)).toBe(true);
    expect(intermediate.verify(new X509Certificate(await pebble.root()).publicKey)).toBe(true);
    expect(await ask(before)).toContain('served');
    await until(async () => {
      const { records: left } = await records.list(partition, { prefix: 'challenge/' });
      expect(left).toEqual([]);
    });
    const stored = JSON.stringify((await records.list(partition)).records);
    expect(stored).toContain('BEGIN CERTIFICATE');
    expect(stored).not.toMatch(/PRIVATE KEY|\\"d\\"/);
    await counted(server, 'issued', '1');
  });

  test('a restarted server serves at once what it had, without an order, whether or not the authority answers', async () => {
    await using _ = await open();
    await using first = await start();
    await issued(first);
    const { cert } = first.certificates.current;
    await first[Symbol.asyncDispose]();
    await pebble.stop();
    try {
      await using second = await start();
      expect(second.certificates.current.cert).toBe(cert);
      expect(peer(await second.connect()).issuer).toContain('Pebble');
      expect(await readTrouble(records)).toBeUndefined();
    } finally {
      await pebble.resume();
    }
  });

  test('a certificate that nears its end is renewed while connections stay', async () => {
    await using _ = await open();
    await using server = await start({ profile: 'brief' });
    await issued(server);
    const first = await server.connect();
    const { serialNumber, validToDate } = peer(first);
    await until(async () => expect(peer(await server.connect()).serialNumber).not.toBe(serialNumber));
    expect(Date.now()).toBeLessThan(validToDate.getTime());
    expect(await ask(first)).toContain('served');
  });

  test('an authority that wants a certificate renewed early gets its way', async () => {
    await using _ = await open();
    await using server = await start({ profile: 'short' });
    await issued(server);
    const { cert } = server.certificates.current;
    const past = (ms: number): Date => new Date(Date.now() - ms);
    await pebble.suggest(cert, { start: past(60_000), end: past(30_000) });
    const stored = await present(() => records.get(partition, 'suggestion'));
    // It is asked every few seconds: now.
    await records.commit(partition, {
      put: [{ key: 'suggestion', value: { ...(stored.value as object), lookAgainAt: 0 } }],
    });
    await until(() => expect(server.certificates.current.cert).not.toBe(cert));
    expect(Date.now()).toBeLessThan(new Date(new X509Certificate(cert).validTo).getTime() - 60_000);
  });

  test('a certificate that was replaced already is replaced again', async () => {
    await using _ = await open();
    await using server = await start();
    await issued(server);
    const old = await records.get(partition, 'certificate');
    for (const requested of [1, 2]) {
      const { cert } = server.certificates.current;
      if (requested === 2 && old) await records.commit(partition, { put: [{ key: 'certificate', value: old.value }] });
      await requestRenewal(records, { at: Date.now(), newAccount: false });
      await until(async () => {
        expect(await records.get(partition, 'request')).toBeUndefined();
        expect(server.certificates.current.cert).not.toBe(cert);
      });
    }
    expect(await readTrouble(records)).toBeUndefined();
    await counted(server, 'issued', '3');
  });

  test('somebody who asks for a new certificate gets it at once', async () => {
    await using _ = await open();
    await using server = await start();
    await issued(server);
    const { cert } = server.certificates.current;
    await requestRenewal(records, { at: Date.now(), newAccount: false });
    await until(() => expect(server.certificates.current.cert).not.toBe(cert));
    expect(issuerOf(server)).toContain('Pebble');
  });

  test('other names are ordered at once; until then the old certificate is served', async () => {
    await using _ = await open();
    await using first = await start();
    await issued(first);
    const { cert } = first.certificates.current;
    await first[Symbol.asyncDispose]();
    await using second = await start({ names: ['registry.example.com', 'second.example.com'] });
    expect(second.certificates.current.cert).toBe(cert);
    await until(() => expect(second.certificates.current.cert).not.toBe(cert));
    expect(new X509Certificate(second.certificates.current.cert).checkHost('second.example.com')).toBeDefined();
  });

  test('a name without DNS is said with what to do, held back, counted, and ordered once it is there', async () => {
    await using _ = await open();
    pebble.names.absent.add('late.example.com');
    await using server = await start({ names: ['late.example.com'] });
    const { kind, message, advice, failures, at, again } = await trouble();
    expect([kind, failures]).toEqual(['connection', 1]);
    expect(message).toMatch(/^late\.example\.com: /);
    expect(advice).toContain('see DNS');
    expect((again - at) / 60_000).toBeCloseTo(1.05, 1);
    const said = await present(() =>
      Promise.resolve(server.logged.find(({ message: text }) => text.startsWith('no new certificate'))),
    );
    expect(said.message).toMatch(/late\.example\.com.*see DNS.*there is no certificate$/);
    await counted(server, 'failed', '1');
    expect(issuerOf(server)).toContain('no certificate yet');
    pebble.names.absent.clear();
    await requestRenewal(records, { at: Date.now(), newAccount: false });
    await issued(server);
    expect(await readTrouble(records)).toBeUndefined();
  });

  test('an authority that cannot reach port 80 says so', async () => {
    await using _ = await open();
    // It listens where the authority does not ask, as behind a router that forwards nothing.
    await using server = await start({ httpPort: 0 });
    expect(await trouble()).toMatchObject({ kind: 'connection', advice: expect.stringContaining('port 80') });
    expect(issuerOf(server)).toContain('no certificate yet');
  });

  test('a name that the authority refuses is said so', async () => {
    await using _ = await open();
    await using server = await start({ names: ['blocked.example'] });
    expect(await trouble()).toMatchObject({ kind: 'rejectedIdentifier', advice: expect.stringContaining('DOMAINS') });
    await counted(server, 'failed', '1');
  });

  test('a profile that the authority does not have is said so', async () => {
    await using _ = await open();
    await using _server = await start({ profile: 'eternal' });
    expect((await trouble()).message).toContain('eternal');
  });

  test('an account that was ended is not replaced behind the back of who ended it, but when asked', async () => {
    await using _ = await open();
    const settings = settingsFor(pebble);
    await endAccount(records, settings);
    await using server = await start();
    expect(await trouble()).toMatchObject({ kind: 'unauthorized', advice: expect.stringContaining('--new-account') });
    await requestRenewal(records, { at: Date.now(), newAccount: true });
    await issued(server);
  });

  test('an account that the authority has forgotten is made anew', async () => {
    await using _ = await open();
    await using server = await start();
    await issued(server);
    const { cert } = server.certificates.current;
    await pebble.stop();
    await pebble.resume();
    await requestRenewal(records, { at: Date.now(), newAccount: false });
    await until(() => expect(server.certificates.current.cert).not.toBe(cert));
  });

  test('other certificates are ordered with the account of the installation, and their proofs answered beside its own', async () => {
    await using _ = await open();
    const answers = new Map<string, string>();
    const settings = settingsFor(pebble);
    const authority = openAuthority({
      settings,
      records,
      sealer: createSeal(sealKey, randomBytes),
      clock: systemClock,
    });
    const { signal } = new AbortController();
    const order = (name: string, key: KeyKind): Promise<Ordered> =>
      authority.order({
        names: [name],
        key,
        signal,
        publish: async (challenges) => {
          for (const { token, keyAuthorization } of challenges) answers.set(token, keyAuthorization);
        },
      });
    expect(await order('www.example.com', 'RSA_2048')).toMatchObject({ refused: 'noAccount' });
    await using server = await startServer({ records, settings, beside: async (token) => answers.get(token) });
    await issued(server);
    for (const [key, shown] of [
      ['RSA_2048', { asymmetricKeyType: 'rsa', asymmetricKeyDetails: { modulusLength: 2048 } }],
      ['EC_secp384r1', { asymmetricKeyType: 'ec', asymmetricKeyDetails: { namedCurve: 'secp384r1' } }],
    ] as const) {
      const made = (await order('www.example.com', key)) as { chain: string; key: string };
      const leaf = new X509Certificate(made.chain);
      expect(leaf.checkHost('www.example.com')).toBe('www.example.com');
      expect(leaf.publicKey).toMatchObject(shown);
      expect(leaf.checkPrivateKey(createPrivateKey(made.key))).toBe(true);
    }
    expect(await order('blocked.example', 'EC_prime256v1')).toMatchObject({ refused: 'rejectedIdentifier' });
    answers.clear();
    const unproved = await authority.order({
      names: ['www.example.com'],
      key: 'RSA_2048',
      signal,
      publish: async () => {},
    });
    expect(unproved).toMatchObject({ refused: 'unauthorized', message: expect.stringContaining('www.example.com') });
    expect(authority.ownNames).toEqual(settings.names);
    await authority.close();
  });

  test('an authority that is down stops nothing: a placeholder is served, and the order comes later', async () => {
    await using _ = await open();
    await pebble.stop();
    try {
      await using server = await start({ directory: 'https://127.0.0.1:9/dir' });
      expect(peer(await server.connect()).issuer).toContain('no certificate yet');
      expect(await trouble()).toMatchObject({ kind: 'unavailable', advice: expect.stringContaining('127.0.0.1:9') });
    } finally {
      await pebble.resume();
    }
  });

  test('a directory whose own certificate is not vouched for is not believed', async () => {
    await using _ = await open();
    await using _server = await start({ authoritiesFile: undefined });
    expect(await trouble()).toMatchObject({ kind: 'unavailable', advice: expect.stringContaining('CA_FILE') });
  });

  test('TLS-ALPN-01 is answered on the port that serves, and other clients find no difference meanwhile', async () => {
    await using _ = await open();
    const settings = settingsFor(pebble, { challenge: 'tls-alpn-01', names: ['registry.example.com', '127.0.0.1'] });
    await using server = await startServer({ records, settings, port: pebble.tlsPort });
    let challenged = 0;
    for (const end = Date.now() + 120_000; !issuerOf(server).includes('Pebble') && Date.now() < end;) {
      if ((await records.list(partition, { prefix: 'challenge/' })).records.length > 0) challenged++;
      const socket = await server.connect();
      expect(peer(socket).subject ?? '').not.toContain('challenge');
      expect(await ask(socket)).toContain('served');
      socket.destroy();
    }
    expect(challenged).toBeGreaterThan(0);
    await issued(server);
    expect(new X509Certificate(server.certificates.current.cert).checkIP('127.0.0.1')).toBe('127.0.0.1');
    // With the order the challenge ends.
    await until(() =>
      expect(server.connect('registry.example.com', ['acme-tls/1'])).rejects.toThrow(/alert|reset|disconnected/i),
    );
  });

  test('external account binding: wrong and missing keys are said so, the right one orders', async () => {
    await using _ = await open();
    const key = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W';
    const bound = await Pebble.start({ externalAccounts: { 'kid-1': key } });
    try {
      const keyFile = join(folder, 'eab.key');
      const order = async (text: string | undefined): Promise<AcmeServer> => {
        if (text !== undefined) await writeFile(keyFile, `${text}\n`);
        const externalAccount = text === undefined ? undefined : { keyId: 'kid-1', keyFile };
        return startServer({ records, settings: settingsFor(bound, { externalAccount }) });
      };
      {
        await using _server = await order(undefined);
        expect(await trouble()).toMatchObject({
          kind: 'externalAccountRequired',
          advice: expect.stringContaining('EAB'),
        });
      }
      await records.commit(partition, { remove: ['trouble'] });
      {
        await using _server = await order(Buffer.alloc(48, 7).toString('base64url'));
        expect(await trouble()).toMatchObject({ kind: 'unauthorized' });
      }
      await records.commit(partition, { remove: ['trouble'] });
      await using server = await order(key);
      await issued(server);
      await expect(order('not a key!')).rejects.toThrow(/SLIPWAY_ACME_EAB_KEY_FILE: .* does not hold a key/);
    } finally {
      await bound.dispose();
    }
  });

  test('of two servers on one Redis one orders, either answers, and both serve', async () => {
    const redis = await RedisServer.start();
    const storage = async () => {
      const root = await mkdtemp(join(tmpdir(), 'slipway-acme-blobs-'));
      const it = await openStorage(
        { records: { type: 'redis', url: redis.url }, blobs: { type: 'filesystem', root } },
        systemClock,
      );
      return { it, [Symbol.asyncDispose]: () => it.close().then(() => rm(root, { recursive: true })) };
    };
    try {
      await using one = await storage();
      await using two = await storage();
      // The first holds the lease; the authority asks at the second.
      const start = (of: RecordStore, httpPort: number) =>
        startServer({ records: of, settings: settingsFor(pebble, { httpPort }) });
      await using first = await start(one.it.records, 0);
      // Until the first has tried in vain, and so holds the lease.
      await present(() => readTrouble(one.it.records));
      await using second = await start(two.it.records, pebble.httpPort);
      await requestRenewal(two.it.records, { at: Date.now(), newAccount: false });
      await Promise.all([issued(first), issued(second)]);
      expect(second.certificates.current).toEqual(first.certificates.current);
      await counted(first, 'issued', '1');
      await counted(second, 'issued', '0');
    } finally {
      await redis.dispose();
    }
  });
});

/** Has the authority end the account of these settings, as its owner can (RFC 8555, section 7.3.6). */
async function endAccount(records: RecordStore, settings: AcmeSettings): Promise<void> {
  const outbound = createOutbound({ allow: ['127.0.0.0/8'], ca: readFileSync(settings.authoritiesFile ?? '', 'utf8') });
  const { signal } = new AbortController();
  const lease = await openLeases(records, systemClock, Math.random).acquire(partition, 'orders', { signal });
  const session = new AcmeSession({ directory: settings.directory, outbound, clock: systemClock, signal });
  const store = new AcmeStore(records, createSeal(sealKey, randomBytes));
  const account = await openAccount({ session, store, settings, externalKey: undefined, fence: lease });
  await session.post(account.url ?? '', { status: 'deactivated' }, account);
  await lease.release();
  await outbound.close();
}
