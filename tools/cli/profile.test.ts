import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, test } from 'vitest';
import { adoptProfile, meantProfile } from './profile.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-profile-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(
  join(folder, 'config'),
  `
[default]
region = us-east-1
[profile ship]
region = eu-west-1
services = mine
[profile runs]
endpoint_url = http://h:2
credential_process = printf '{"Version":1,"AccessKeyId":"AKIARUN","SecretAccessKey":"s","SessionToken":"t"}'
[services mine]
ecs =
  endpoint_url = http://h:1
`,
);
writeFileSync(join(folder, 'credentials'), '[ship]\naws_access_key_id = AKIASHIP\naws_secret_access_key = secret\n');

const adopted = async (
  environment: Record<string, string>,
  command = 'ps',
): Promise<Record<string, string | undefined>> => {
  const files = { AWS_CONFIG_FILE: join(folder, 'config'), AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials') };
  const all: Record<string, string | undefined> = { ...files, ...environment };
  await adoptProfile(command, all);
  return Object.fromEntries(Object.entries(all).filter(([name]) => !(name in files)));
};

test('a profile says where commands call, and as whom', async () => {
  expect(await adopted({ AWS_PROFILE: 'ship', AWS_SESSION_TOKEN: 'of others' })).toEqual({
    AWS_PROFILE: 'ship',
    AWS_ENDPOINT_URL: 'http://h:1',
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'AKIASHIP',
    AWS_SECRET_ACCESS_KEY: 'secret',
  });
  expect(await adopted({ AWS_PROFILE: 'runs' })).toMatchObject({
    AWS_ENDPOINT_URL: 'http://h:2',
    AWS_ACCESS_KEY_ID: 'AKIARUN',
    AWS_SESSION_TOKEN: 't',
  });
});

test.each([
  ['variables say all', { AWS_PROFILE: 'ship', AWS_ENDPOINT_URL: 'http://e', AWS_ACCESS_KEY_ID: 'A' }, 'ps'],
  ['nobody names a profile, and the usual one is about AWS', {}, 'ps'],
  ['a command is a server', { AWS_PROFILE: 'ship' }, 'serve'],
  ['a command calls nobody, whatever the profile', { AWS_PROFILE: 'none' }, 'completion'],
])('nothing is taken of it when %s', async (_, environment, command) => {
  expect(await adopted(environment as Record<string, string>, command)).toEqual(environment);
});

test('variables of the shell go before it', async () => {
  const environment = { AWS_PROFILE: 'ship', AWS_ENDPOINT_URL: 'http://e', AWS_REGION: 'r' };
  expect(await adopted(environment)).toMatchObject({ ...environment, AWS_ACCESS_KEY_ID: 'AKIASHIP' });
});

describe('the endpoint', () => {
  const of = (
    environment: Record<string, string>,
    profile: Record<string, string>,
    services?: Record<string, string>,
  ): string | undefined =>
    meantProfile(environment, { default: profile, ...(services === undefined ? {} : { 'services.s': services }) }, {})
      ?.endpoint;

  it.each<[Parameters<typeof of>, string | undefined]>([
    [[{}, {}], undefined],
    [[{}, { endpoint_url: 'a' }], 'a'],
    [[{ AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' }, { endpoint_url: 'a' }], undefined],
    [[{ AWS_ENDPOINT_URL: 'b' }, { endpoint_url: 'a' }], 'b'],
    [[{ AWS_ENDPOINT_URL: 'b', AWS_ENDPOINT_URL_ECS: 'c' }, { endpoint_url: 'a' }], 'c'],
    [[{ AWS_ENDPOINT_URL: 'b' }, {}], undefined],
    [[{}, { services: 's' }, { 'ecr.endpoint_url': 'd', 's3.endpoint_url': 'e' }], 'd'],
    [[{}, { services: 's' }, { 'efs.endpoint_url': 'd' }], 'd'],
  ])('%#', (given, endpoint) => {
    expect(of(...given)).toBe(endpoint);
  });

  it.each<[Parameters<typeof of>, string]>([
    [[{ AWS_PROFILE: 'x' }, {}], 'there is no profile x'],
    [[{ AWS_PROFILE: 'default' }, {}], 'has no endpoint_url, so it is about AWS itself'],
    [[{}, { endpoint_url: 'a', services: 's' }, { 'ecs.endpoint_url': 'b' }], 'several endpoints (b, a)'],
  ])('is refused: %#', (given, words) => {
    expect(() => of(...given)).toThrow(words);
  });
});
