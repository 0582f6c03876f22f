import {
  DescribeRegistryCommand,
  type ECRClient,
  GetAccountSettingCommand,
  GetAuthorizationTokenCommand,
  PutAccountSettingCommand,
} from '@aws-sdk/client-ecr';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ecrClient } from '../testing/docker-client.ts';
import { account, type ServedRegistry, serveRegistry } from '../testing/serve-registry.ts';

let registry: ServedRegistry;
let ecr: ECRClient;

beforeAll(async () => {
  registry = await serveRegistry();
  ecr = ecrClient(registry);
});
afterAll(async () => {
  ecr.destroy();
  await registry[Symbol.asyncDispose]();
  if (registry.failures.length > 0)
    throw new Error('the registry failed on its own account', { cause: registry.failures });
});

test('GetAuthorizationToken, DescribeRegistry, GetAccountSetting, PutAccountSetting', async () => {
  const { authorizationData } = await ecr.send(new GetAuthorizationTokenCommand({}));
  expect(authorizationData?.[0]?.proxyEndpoint).toBe(registry.url);
  expect(Buffer.from(authorizationData?.[0]?.authorizationToken ?? '', 'base64').toString()).toMatch(/^AWS:/);
  expect(authorizationData?.[0]?.expiresAt?.getTime()).toBeGreaterThan(Date.now() + 11 * 3_600_000);
  expect(await ecr.send(new DescribeRegistryCommand({}))).toMatchObject({
    registryId: account,
    replicationConfiguration: { rules: [] },
  });
  expect((await ecr.send(new GetAccountSettingCommand({ name: 'BLOB_MOUNTING' }))).value).toBe('ENABLED');
  await ecr.send(new PutAccountSettingCommand({ name: 'REGISTRY_POLICY_SCOPE', value: 'V1' }));
  expect((await ecr.send(new GetAccountSettingCommand({ name: 'REGISTRY_POLICY_SCOPE' }))).value).toBe('V1');
  await ecr.send(new PutAccountSettingCommand({ name: 'REGISTRY_POLICY_SCOPE', value: 'V2' }));
  await expect(
    ecr.send(new PutAccountSettingCommand({ name: 'BASIC_SCAN_TYPE_VERSION', value: 'CLAIR' })),
  ).rejects.toMatchObject({ name: 'ValidationException' });
});
