import {
  CreateRepositoryCommand,
  DeleteLifecyclePolicyCommand,
  DeleteRegistryPolicyCommand,
  DeleteRepositoryPolicyCommand,
  type ECRClient,
  GetLifecyclePolicyCommand,
  GetRegistryPolicyCommand,
  GetRepositoryPolicyCommand,
  ListImagesCommand,
  PutLifecyclePolicyCommand,
  PutRegistryPolicyCommand,
  SetRepositoryPolicyCommand,
} from '@aws-sdk/client-ecr';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ecrClient } from '../testing/docker-client.ts';
import { account, type ServedRegistry, serveRegistry } from '../testing/serve-registry.ts';

let registry: ServedRegistry;
let ecr: ECRClient;
let made = 0;

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

const newRepository = async (settings: object = {}): Promise<string> => {
  const repositoryName = `team/app-${++made}`;
  await ecr.send(new CreateRepositoryCommand({ repositoryName, ...settings }));
  return repositoryName;
};

test('SetRepositoryPolicy, GetRepositoryPolicy, DeleteRepositoryPolicy: kept as it was set, one Sid of two statements too; no policy, and what locks out, is refused', async () => {
  const repositoryName = await newRepository();
  const policyText = JSON.stringify(
    {
      Version: '2012-10-17',
      Statement: [{ Sid: 'pull', Effect: 'Allow', Principal: '*', Action: ['ecr:BatchGetImage'] }],
    },
    undefined,
    2,
  );
  await expect(ecr.send(new GetRepositoryPolicyCommand({ repositoryName }))).rejects.toMatchObject({
    name: 'RepositoryPolicyNotFoundException',
  });
  await ecr.send(new SetRepositoryPolicyCommand({ repositoryName, policyText }));
  expect(JSON.parse((await ecr.send(new GetRepositoryPolicyCommand({ repositoryName }))).policyText ?? '')).toEqual(
    JSON.parse(policyText),
  );
  await expect(
    ecr.send(new SetRepositoryPolicyCommand({ repositoryName, policyText: '{"Statement": [}' })),
  ).rejects.toMatchObject({ name: 'InvalidParameterException' });
  const lockOut = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Deny', Principal: '*', Action: 'ecr:*' }],
  });
  await expect(ecr.send(new SetRepositoryPolicyCommand({ repositoryName, policyText: lockOut }))).rejects.toMatchObject(
    { name: 'InvalidParameterException' },
  );
  const sameSid = JSON.stringify({
    Version: '2012-10-17',
    Statement: ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'].map((Action) => ({
      Sid: 'pull',
      Effect: 'Allow',
      Principal: { AWS: account },
      Action,
    })),
  });
  await ecr.send(new SetRepositoryPolicyCommand({ repositoryName, policyText: sameSid }));
  expect((await ecr.send(new GetRepositoryPolicyCommand({ repositoryName }))).policyText).toBe(sameSid);
  await ecr.send(new DeleteRepositoryPolicyCommand({ repositoryName }));
  await expect(ecr.send(new DeleteRepositoryPolicyCommand({ repositoryName }))).rejects.toMatchObject({
    name: 'RepositoryPolicyNotFoundException',
  });
});

test('a denial in the registry policy holds for every repository, and ends with the policy (PutRegistryPolicy, GetRegistryPolicy, DeleteRegistryPolicy)', async () => {
  const repositoryName = await newRepository();
  await expect(ecr.send(new GetRegistryPolicyCommand({}))).rejects.toMatchObject({
    name: 'RegistryPolicyNotFoundException',
  });
  const arn = `arn:aws:ecr:us-east-1:${account}:repository/${repositoryName}`;
  const policyText = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Deny', Principal: '*', Action: 'ecr:ListImages', Resource: arn }],
  });
  await ecr.send(new PutRegistryPolicyCommand({ policyText }));
  const list = () => ecr.send(new ListImagesCommand({ repositoryName }));
  await expect
    .poll(() => list().catch((error: Error) => error.name), { timeout: 60_000 })
    .toBe('AccessDeniedException');
  expect((await ecr.send(new GetRegistryPolicyCommand({}))).registryId).toBe(account);
  await ecr.send(new DeleteRegistryPolicyCommand({}));
  await expect.poll(async () => (await list().catch(() => undefined))?.imageIds, { timeout: 60_000 }).toEqual([]);
});

test('PutLifecyclePolicy, GetLifecyclePolicy, DeleteLifecyclePolicy: kept as it was set, refused with the rule and the member', async () => {
  const repositoryName = await newRepository();
  const rule = {
    rulePriority: 1,
    selection: { tagStatus: 'untagged', countType: 'sinceImagePushed', countUnit: 'days', countNumber: 14 },
    action: { type: 'expire' },
  };
  const lifecyclePolicyText = JSON.stringify({ rules: [rule] });
  await expect(ecr.send(new GetLifecyclePolicyCommand({ repositoryName }))).rejects.toMatchObject({
    name: 'LifecyclePolicyNotFoundException',
  });
  await ecr.send(new PutLifecyclePolicyCommand({ repositoryName, lifecyclePolicyText }));
  expect((await ecr.send(new GetLifecyclePolicyCommand({ repositoryName }))).lifecyclePolicyText).toBe(
    lifecyclePolicyText,
  );
  const wrong = JSON.stringify({ rules: [{ ...rule, selection: { ...rule.selection, countNumber: 0 } }] });
  await expect(
    ecr.send(new PutLifecyclePolicyCommand({ repositoryName, lifecyclePolicyText: wrong })),
  ).rejects.toMatchObject({ name: 'InvalidParameterException', message: expect.stringContaining('countNumber') });
  await ecr.send(new DeleteLifecyclePolicyCommand({ repositoryName }));
  await expect(ecr.send(new DeleteLifecyclePolicyCommand({ repositoryName }))).rejects.toMatchObject({
    name: 'LifecyclePolicyNotFoundException',
  });
});
