import { execFileSync } from 'node:child_process';
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { addressBytes, serverNameOf } from './names.ts';
import { challengeCertificate, placeholder, renewalIdentifier, requestCertificate } from './x509.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-x509-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What OpenSSL, which is not what made it, says about it. */
function openssl(args: readonly string[], input: string | Uint8Array): string {
  const file = join(folder, 'input');
  writeFileSync(file, input);
  return execFileSync('openssl', [...args, '-in', file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

test('a certificate request names hosts and addresses, and is signed with its key', async () => {
  const { request, key } = await requestCertificate(['registry.example.com', '192.0.2.7', '2001:db8::7']);
  const text = openssl(['req', '-inform', 'DER', '-noout', '-text', '-verify'], request);
  expect(text).toContain('DNS:registry.example.com, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7');
  expect(text).toContain('ecdsa-with-SHA256');
  expect(createPrivateKey(key).asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
});

test('the placeholder is for the names, for a day, and says what it is', async () => {
  const now = Date.parse('2030-01-02T03:04:05Z');
  const { cert, key } = await placeholder(['registry.example.com', '192.0.2.7'], now);
  const parsed = new X509Certificate(cert);
  expect([parsed.checkHost('registry.example.com'), parsed.checkIP('192.0.2.7')]).toEqual([
    'registry.example.com',
    '192.0.2.7',
  ]);
  expect(parsed.subject).toBe('CN=Slipway has no certificate yet');
  expect(parsed.verify(parsed.publicKey) && parsed.checkPrivateKey(createPrivateKey(key))).toBe(true);
  expect(parsed.validToDate.getTime() - now).toBe(86_400_000);
});

test('a challenge certificate carries the digest of the key authorization as RFC 8737 says', async () => {
  const { cert } = await challengeCertificate('registry.example.com', 'token.thumbprint', Date.now());
  const text = openssl(['x509', '-noout', '-text'], cert);
  const digest = createHash('sha256').update('token.thumbprint').digest('hex').toUpperCase();
  const shown = /1\.3\.6\.1\.5\.5\.7\.1\.31: critical\n\s*(.*)/.exec(text)?.[1] ?? '';
  expect(shown).not.toBe('');
  // The value is an octet string of 32 bytes; OpenSSL shows what of it is printable.
  const dump = openssl(['asn1parse'], cert);
  expect(dump).toContain(`[HEX DUMP]:0420${digest}`);
  expect(text).toContain('DNS:registry.example.com');
});

test('renewal information names a certificate as RFC 9773 does', () => {
  // The certificate of the RFC's appendix A.
  const example = `-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----
`;
  expect(renewalIdentifier(example)).toBe('aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE');
});

test('an issuer that is not identified has no renewal information', async () => {
  expect(renewalIdentifier((await placeholder(['a.example'], Date.now())).cert)).toBeUndefined();
});

test('addresses have their bytes, however they are written', () => {
  expect([...addressBytes('192.0.2.7')]).toEqual([192, 0, 2, 7]);
  expect(Buffer.from(addressBytes('2001:db8::7')).toString('hex')).toBe('20010db8000000000000000000000007');
  expect(Buffer.from(addressBytes('::')).toString('hex')).toBe('0'.repeat(32));
  expect(Buffer.from(addressBytes('::ffff:192.0.2.7')).toString('hex')).toBe('00000000000000000000ffffc0000207');
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      const groups = Array.from({ length: 8 }, (_, i) =>
        Buffer.from(bytes)
          .readUInt16BE(2 * i)
          .toString(16),
      );
      expect([...addressBytes(groups.join(':'))]).toEqual([...bytes]);
    }),
  );
});

test('addresses are proved under their reverse names', () => {
  expect(serverNameOf('registry.example.com')).toBe('registry.example.com');
  expect(serverNameOf('192.0.2.7')).toBe('7.2.0.192.in-addr.arpa');
  expect(serverNameOf('2001:db8::1')).toBe('1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa');
});
