import { expect, test } from 'vitest';
import { readConfig } from './config.ts';

const asked = { SLIPWAY_ACME_DOMAINS: 'Registry.Example.com, 203.0.113.7', SLIPWAY_ACME_AGREE_TO_TERMS: 'true' };

test('domains and agreement are enough for Let’s Encrypt by HTTP-01', () => {
  expect(readConfig(asked).acme).toEqual({
    directory: 'https://acme-v02.api.letsencrypt.org/directory',
    names: ['registry.example.com', '203.0.113.7'],
    email: undefined,
    externalAccount: undefined,
    authoritiesFile: undefined,
    challenge: 'http-01',
    httpPort: 80,
    profile: undefined,
  });
  expect(readConfig({}).acme).toBeUndefined();
});

test('clients reach the installation by the names of its certificate, unless it is told other ones', () => {
  expect(readConfig(asked).endpoints).toEqual(['registry.example.com:7500', '203.0.113.7:7500']);
  expect(readConfig({ ...asked, SLIPWAY_PORT: '443' }).endpoints).toEqual(['registry.example.com', '203.0.113.7']);
  expect(readConfig({ ...asked, SLIPWAY_ENDPOINTS: 'images.example.com' }).endpoints).toEqual(['images.example.com']);
});

test.each([
  ['no agreement', { SLIPWAY_ACME_AGREE_TO_TERMS: '' }, /AGREE_TO_TERMS: set it to true if you agree/],
  ['no domains', { SLIPWAY_ACME_DOMAINS: '' }, /AGREE_TO_TERMS: is of use only with SLIPWAY_ACME_DOMAINS/],
  ['files as well', { SLIPWAY_TLS_CERTIFICATE: 'a', SLIPWAY_TLS_KEY: 'b' }, /comes by ACME or from files/],
  ['plain HTTP', { SLIPWAY_ALLOW_PLAIN_HTTP: 'true' }, /plain HTTP is not served/],
  ['half a binding', { SLIPWAY_ACME_EAB_KID: 'kid' }, /set both or neither/],
  ['a wildcard', { SLIPWAY_ACME_DOMAINS: '*.example.com' }, /wildcards need a proof by DNS/],
  ['a port in a name', { SLIPWAY_ACME_DOMAINS: 'a.example:443' }, /without port/],
  ['a URL', { SLIPWAY_ACME_DOMAINS: 'https://a.example' }, /without port/],
  ['a directory in the clear', { SLIPWAY_ACME_DIRECTORY: 'http://ca.example/dir' }, /must be an https URL/],
  ['no address', { SLIPWAY_ACME_EMAIL: 'me' }, /SLIPWAY_ACME_EMAIL: must be an e-mail address/],
  ['another challenge', { SLIPWAY_ACME_CHALLENGE: 'dns-01' }, /SLIPWAY_ACME_CHALLENGE/],
  ['the one port', { SLIPWAY_ACME_HTTP_PORT: '7500' }, /need a port beside SLIPWAY_PORT/],
  [
    'a port for nothing',
    { SLIPWAY_ACME_CHALLENGE: 'tls-alpn-01', SLIPWAY_ACME_HTTP_PORT: '8080' },
    /of use only with SLIPWAY_ACME_CHALLENGE=http-01/,
  ],
])('%s is refused, with the names of the variables', (_, change, message) => {
  expect(() => readConfig({ ...asked, ...change })).toThrow(message);
});
