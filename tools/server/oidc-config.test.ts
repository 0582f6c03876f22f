import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readConfig } from './config.ts';
import { oidcSignIn } from './console-sign-in.ts';

const role = 'arn:aws:iam::000000000000:role/operators';
const least = {
  SLIPWAY_OIDC_ISSUER: 'https://id.example.com/realms/one',
  SLIPWAY_OIDC_CLIENT_ID: 'slipway',
  SLIPWAY_OIDC_ROLES: role,
};
const nobody = { fetch: () => Promise.reject(new Error('nobody is asked')) };

test('people sign in by OpenID Connect where that is configured, with what the file of the secret says', () => {
  expect(readConfig({}).oidc).toBeUndefined();
  expect(readConfig(least).oidc).toEqual({
    issuer: 'https://id.example.com/realms/one',
    clientId: 'slipway',
    clientSecretFile: undefined,
    scopes: ['openid'],
    name: 'id.example.com',
    roles: [role],
  });
  const folder = mkdtempSync(join(tmpdir(), 'slipway-oidc-'));
  try {
    const file = join(folder, 'secret');
    const config = readConfig({
      ...least,
      SLIPWAY_OIDC_CLIENT_SECRET_FILE: file,
      SLIPWAY_OIDC_ROLES: `${role}, ${role}s`,
      SLIPWAY_OIDC_SCOPES: 'email, openid, groups',
      SLIPWAY_OIDC_NAME: 'Example',
    });
    expect(() => oidcSignIn(config, nobody)).toThrow('SLIPWAY_OIDC_CLIENT_SECRET_FILE');
    writeFileSync(file, '\n');
    expect(() => oidcSignIn(config, nobody)).toThrow('is empty');
    writeFileSync(file, 'secret\n');
    expect(oidcSignIn(config, nobody)).toMatchObject({
      settings: {
        clientSecret: 'secret',
        scopes: ['openid', 'email', 'groups'],
        name: 'Example',
        roles: [role, `${role}s`],
      },
      account: '000000000000',
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each([
  ['SLIPWAY_OIDC_ISSUER', 'http://id.example.com'],
  ['SLIPWAY_OIDC_CLIENT_ID', ''],
  ['SLIPWAY_OIDC_ROLES', ''],
  ['SLIPWAY_OIDC_ROLES', 'operators'],
  ['SLIPWAY_OIDC_SCOPES', 'a b'],
])('%s cannot be %j', (name, value) => {
  expect(() => readConfig({ ...least, [name]: value })).toThrow(name);
});

test('what is of no use alone is not taken', () => {
  expect(() => readConfig({ SLIPWAY_OIDC_ROLES: role })).toThrow('is of use only with SLIPWAY_OIDC_ISSUER');
});
