import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Certificate, HttpListener, Tls } from '../../../routing/index.ts';
import { listenerOf, plainAttributes } from '../../../routing/testing/generate.ts';
import { anyTls, askTls, certificateFor } from './certificates.ts';
import { freshAddress, openRaw } from './raw.ts';
import type { Bench } from './suite.ts';
import { groupOf, streamOf } from './targets.ts';

const fingerprint = ({ chain }: Certificate): string => new X509Certificate(chain).fingerprint256;
const rsaOnly = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' } as const;

/** Which certificate, which versions and ciphers, and which application protocol a client gets, for every engine. */
export function tlsSuite(bench: () => Bench): void {
  let certificates: Record<'usual' | 'pattern' | 'exact' | 'ec' | 'rsa', Certificate>;
  beforeAll(() => {
    certificates = {
      usual: certificateFor('usual', 'usual.example.com'),
      pattern: certificateFor('pattern', '*.example.net'),
      exact: certificateFor('exact', 'a.example.net'),
      ec: certificateFor('ec', 'both.example.org'),
      rsa: certificateFor('rsa', 'both.example.org', 'rsa'),
    };
  });
  const open = async (given: Partial<HttpListener>, tls: Partial<Tls> = {}): Promise<HttpListener> => {
    const all = Object.values(certificates);
    const listener = listenerOf({
      address: freshAddress(),
      protocol: 'HTTPS',
      tls: { certificates: all.map(({ id }) => id), ...anyTls, ...tls },
      ...given,
    });
    await bench().apply({ listeners: [listener], certificates: all });
    return listener;
  };

  it('takes a certificate by its name before one by pattern, by key for those who know it, and the first for any other', async () => {
    const { address, port } = await open({});
    const shown = async (given: Parameters<typeof askTls>[2]): Promise<string> => {
      const { certificate } = await askTls(address, port, given);
      const found = Object.values(certificates).find((one) => fingerprint(one) === certificate.fingerprint256);
      return found?.id ?? 'none';
    };
    expect(await shown({ name: 'a.example.net' })).toBe('exact');
    expect(await shown({ name: 'A.Example.NET' })).toBe('exact');
    expect(await shown({ name: 'b.example.net' })).toBe('pattern');
    expect(await shown({ name: 'c.b.example.net' })).toBe('usual');
    expect(await shown({ name: 'example.net' })).toBe('usual');
    // Node shows one for a name, whatever the client knows.
    expect(await shown({ name: 'both.example.org' })).toBe(bench().engine.kind === 'haproxy' ? 'ec' : 'rsa');
    expect(await shown({ name: 'both.example.org', insist: rsaOnly })).toBe('rsa');
    expect(await shown({ name: 'nobody.invalid' })).toBe('usual');
    expect(await shown({})).toBe('usual');
    const other = await open({}, { certificates: ['rsa', 'exact'] });
    const { certificate } = await askTls(other.address, other.port, { name: 'a.example.net' });
    expect(certificate.fingerprint256).toBe(fingerprint(certificates.exact));
  });

  it('goes on with connections when certificates change, and shows the others from then on', async () => {
    const listener = await open({});
    const { tls } = listener;
    const renewed = certificateFor('usual', 'renewed.example.com');
    await bench().apply({ listeners: [listener], certificates: [...Object.values(certificates).slice(1), renewed] });
    const seen = await askTls(listener.address, listener.port, { name: 'renewed.example.com' });
    expect(seen.certificate.fingerprint256).toBe(fingerprint(renewed));
    const fewer = { ...listener, tls: { ...(tls as Tls), certificates: ['exact'] } };
    await bench().apply({ listeners: [fewer], certificates: [certificates.exact] });
    const after = await askTls(listener.address, listener.port, { name: 'renewed.example.com' });
    expect(after.certificate.fingerprint256).toBe(fingerprint(certificates.exact));
  });

  describe('policies', () => {
    const refused = /alert|version|protocol|handshake|reset|closed|disconnected/i;
    it('speak the versions and ciphers that they name, and no others', async () => {
      const old = await open({}, { versions: ['TLSv1.2'], ciphers: ['ECDHE-ECDSA-AES256-SHA384', 'AES128-SHA'] });
      const { version, cipher } = await askTls(old.address, old.port, {});
      expect([version, cipher]).toEqual(['TLSv1.2', 'ECDHE-ECDSA-AES256-SHA384']);
      await expect(askTls(old.address, old.port, { insist: { minVersion: 'TLSv1.3' } })).rejects.toThrow(refused);
      const other = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' } as const;
      await expect(askTls(old.address, old.port, { insist: other })).rejects.toThrow(refused);
      await expect(askTls(old.address, old.port, { highest: 'TLSv1.1' })).rejects.toThrow(refused);
      // The same for a name whose certificate is another one.
      await expect(askTls(old.address, old.port, { name: 'a.example.net', insist: other })).rejects.toThrow(refused);

      const fresh = await open({}, { versions: ['TLSv1.3'], ciphers: [] });
      expect((await askTls(fresh.address, fresh.port, {})).version).toBe('TLSv1.3');
      await expect(askTls(fresh.address, fresh.port, { highest: 'TLSv1.2' })).rejects.toThrow(refused);
      await expect(askTls(fresh.address, fresh.port, { name: 'a.example.net', highest: 'TLSv1.2' })).rejects.toThrow(
        refused,
      );
    });
  });

  it.each([
    [true, 'h2'],
    [false, 'http/1.1'],
  ] as const)('HTTP/2 %s: agrees on %s', async (http2, expected) => {
    const { address, port } = await open({ attributes: { ...plainAttributes, http2 } });
    expect((await askTls(address, port, { alpn: ['h2', 'http/1.1'] })).alpn).toBe(expected);
    expect((await askTls(address, port, { alpn: ['http/1.1'] })).alpn).toBe('http/1.1');
    expect((await askTls(address, port, {})).alpn).toBe(false);
  });

  it('does not speak HTTP/2 where it is not to, though a client begins with it', async () => {
    const { address, port } = await open({ attributes: { ...plainAttributes, http2: false } });
    using client = await openRaw(address, port, { secure: 'usual.example.com' });
    client.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0');
    expect((await client.answer()).status).toBe(400);
  });

  it.each([
    [['h2', 'http/1.1', 'http/1.0'], 'h2'],
    [['http/1.1', 'http/1.0', 'h2'], 'http/1.1'],
    [['h2'], 'h2'],
    [[], false],
    [undefined, false],
  ] as const)('a listener without rules that offers %j agrees on %s', async (alpn, expected) => {
    const listener = streamOf({ protocol: 'TLS', tls: { certificates: ['usual'], ...anyTls, alpn } });
    await bench().apply({
      listeners: [listener],
      certificates: [certificates.usual],
      targetGroups: [groupOf('t', [bench().a.target()], { protocol: 'TCP' })],
    });
    const { answer, ...seen } = await askTls(listener.address, listener.port, {
      alpn: ['h2', 'http/1.1'],
      text: 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    });
    expect([seen.alpn, answer.startsWith('HTTP/1.1 200')]).toEqual([expected, true]);
  });
}
