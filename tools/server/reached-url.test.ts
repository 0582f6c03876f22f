import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { reachedUrl } from './reached-url.ts';

const certificateFor = (names: string): string =>
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', '/dev/null'].concat([
      '-subj',
      '/CN=test',
      '-addext',
      `subjectAltName=${names}`,
    ]),
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  );

const listening = 'https://127.0.0.1:7500';

test('a certificate for loopback is reached there', () => {
  const certificate = certificateFor('DNS:registry.example.com,IP:127.0.0.1');
  expect(reachedUrl(listening, certificate, ['registry.example.com'])).toBe(listening);
});

test('a certificate for names alone is reached by the first endpoint', () => {
  const certificate = certificateFor('DNS:registry.example.com');
  expect(reachedUrl(listening, certificate, ['registry.example.com:7500', 'b'])).toBe(
    'https://registry.example.com:7500',
  );
  expect(reachedUrl(listening, certificate, [])).toBe(listening);
  expect(reachedUrl('http://127.0.0.1:7500', undefined, ['registry.example.com'])).toBe('http://127.0.0.1:7500');
});
