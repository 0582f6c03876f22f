import { randomBytes } from 'node:crypto';
import { AwsError, type Principal } from '@slipway/auth/contract';
import { describe, expect, test, vi } from 'vitest';

import { account, region } from '../../balancing/testing/caller.ts';
import { createTaskSecrets } from '../tasks/index.ts';
import { openSettings } from '../testing/open-settings.ts';

const canary = 'canary-41d9';
const execution: Principal = {
  type: 'assumed-role',
  account,
  arn: `arn:aws:sts::${account}:assumed-role/execution/task`,
  id: 'AROAX:task',
};

async function open() {
  const world = openSettings();
  const { KeyMetadata: key } = await world.kms.call('CreateKey');
  await world.kms.call('CreateAlias', { AliasName: 'alias/app', TargetKeyId: key.KeyId });
  const read = (valueFrom: string) =>
    createTaskSecrets({
      clock: world.clock,
      random: randomBytes,
      region,
      secrets: world.secrets,
      parameters: world.parameters,
      authorizer: world.authorizer,
      files: () => Promise.reject(new AwsError('NoSuchKey', 'none')),
    })(execution, [{ container: 'web', kind: 'environment', name: 'VALUE', valueFrom }]);
  return { ...world, read, id: key.KeyId as string, arn: key.Arn as string };
}

const denied = (arn: string): RegExp =>
  new RegExp(`AccessDeniedException: User: .* is not authorized to perform: kms:Decrypt on resource: ${arn} because`);

describe('a secret with a key of its own', () => {
  test.each(['alias/app', 'id', 'arn'])('is kept with it, named by %s', async (how) => {
    const { manager, kms, id, arn, secrets } = await open();
    const KmsKeyId = { id, arn }[how] ?? how;
    const made = await manager.call('CreateSecret', { Name: 'db', SecretString: canary, KmsKeyId });
    expect((await manager.call('GetSecretValue', { SecretId: 'db' })).SecretString).toBe(canary);
    expect((await manager.call('DescribeSecret', { SecretId: 'db' })).KmsKeyId).toBe(KmsKeyId);
    const { Versions } = await manager.call('ListSecretVersionIds', { SecretId: 'db' });
    expect(Versions[0].KmsKeyIds).toEqual([arn]);
    await kms.call('DisableKey', { KeyId: id });
    expect(await manager.refusal('GetSecretValue', { SecretId: 'db' })).toBe(
      `DecryptionFailure: Secrets Manager can't decrypt the protected secret text using the provided KMS key. ${arn} is disabled.`,
    );
    expect(await manager.refusal('PutSecretValue', { SecretId: 'db', SecretString: 'x' })).toMatch(
      /^EncryptionFailure/,
    );
    expect(await secrets.find(account, made.ARN)).toBeDefined();
  });

  test('takes the right to use that key through Secrets Manager for this secret, and the execution role needs it too', async () => {
    const { manager, arn, read, refused } = await open();
    const given = { Name: 'db', SecretString: canary, KmsKeyId: 'alias/app' };
    expect((await manager.access('CreateSecret', given)).map(({ action }) => action)).toEqual([
      'secretsmanager:CreateSecret',
      'kms:GenerateDataKey',
      'kms:Decrypt',
    ]);
    const made = await manager.call('CreateSecret', given);
    const [, ofKey] = await manager.access('GetSecretValue', { SecretId: 'db' });
    expect(ofKey).toMatchObject({
      action: 'kms:Decrypt',
      resources: [{ arn, policyDecides: true }],
      context: {
        'kms:ViaService': `secretsmanager.${region}.amazonaws.com`,
        'kms:CallerAccount': account,
        'kms:EncryptionContext:SecretARN': made.ARN,
        'kms:EncryptionContext:SecretVersionId': made.VersionId,
      },
    });
    expect(await read(made.ARN)).toMatchObject({ web: { environment: { VALUE: canary } } });
    refused.add(arn);
    await expect(read(made.ARN)).rejects.toThrow(denied(arn));
    const { Errors } = await manager.call('BatchGetSecretValue', { SecretIdList: ['db'] });
    expect(Errors).toMatchObject([
      { ErrorCode: 'AccessDeniedException', Message: expect.stringMatching(/kms:Decrypt/) },
    ]);
  });

  test.each(['GetSecretValue', 'GetParameter'])(
    'is not read by %s when it has got it since that was allowed',
    async (how) => {
      const { manager, store, secrets, refused, id, arn } = await open();
      await manager.call('CreateSecret', { Name: 'db', SecretString: 'old' });
      const readAccess = secrets.readAccess.bind(secrets);
      vi.spyOn(secrets, 'readAccess').mockImplementationOnce(async (...given) => {
        const before = await readAccess(...given);
        await manager.call('UpdateSecret', { SecretId: 'db', KmsKeyId: id });
        return before;
      });
      refused.add(arn);
      const read =
        how === 'GetSecretValue'
          ? manager.refusal(how, { SecretId: 'db' })
          : store.refusal(how, { Name: '/aws/reference/secretsmanager/db', WithDecryption: true });
      expect(await read).toMatch(denied(arn));
    },
  );

  test('moves to another key with every value that has a label', async () => {
    const { manager, kms, id } = await open();
    await manager.call('CreateSecret', { Name: 'db', SecretString: 'old' });
    await manager.call('PutSecretValue', { SecretId: 'db', SecretString: 'new' });
    await manager.call('UpdateSecret', { SecretId: 'db', KmsKeyId: id });
    const other = (await kms.call('CreateKey')).KeyMetadata;
    await manager.call('UpdateSecret', { SecretId: 'db', KmsKeyId: other.Arn });
    await kms.call('DisableKey', { KeyId: id });
    const values = await Promise.all(
      ['AWSCURRENT', 'AWSPREVIOUS'].map((VersionStage) =>
        manager.call('GetSecretValue', { SecretId: 'db', VersionStage }),
      ),
    );
    expect(values.map(({ SecretString }) => SecretString)).toEqual(['new', 'old']);
    await manager.call('UpdateSecret', { SecretId: 'db', KmsKeyId: 'alias/aws/secretsmanager' });
    expect((await manager.call('DescribeSecret', { SecretId: 'db' })).KmsKeyId).toBeUndefined();
  });

  test('moves with the right to decrypt with what its values are kept with, wherever its alias points by then', async () => {
    const { manager, kms, arn } = await open();
    await manager.call('CreateSecret', { Name: 'db', SecretString: canary, KmsKeyId: 'alias/app' });
    const other = (await kms.call('CreateKey')).KeyMetadata;
    await kms.call('UpdateAlias', { AliasName: 'alias/app', TargetKeyId: other.KeyId });
    const needs = await manager.access('UpdateSecret', { SecretId: 'db', KmsKeyId: 'alias/aws/secretsmanager' });
    expect(needs.slice(1).map(({ action, resources }) => [action, resources[0]?.arn])).toEqual([['kms:Decrypt', arn]]);
  });

  test('leaves a key that was destroyed, with which its old values are lost', async () => {
    const { manager, kms, id, clock } = await open();
    await manager.call('CreateSecret', { Name: 'db', SecretString: 'old', KmsKeyId: id });
    await kms.call('ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays: 7 });
    const own = { SecretId: 'db', KmsKeyId: 'alias/aws/secretsmanager' };
    expect(await manager.refusal('UpdateSecret', own)).toMatch(/^DecryptionFailure: .*pending deletion/);
    clock.at += 7 * 86_400_000;
    await manager.call('UpdateSecret', { ...own, SecretString: 'new' });
    expect((await manager.call('GetSecretValue', { SecretId: 'db' })).SecretString).toBe('new');
    expect(await manager.refusal('GetSecretValue', { SecretId: 'db', VersionStage: 'AWSPREVIOUS' })).toMatch(
      /^DecryptionFailure/,
    );
  });

  test('is not made with a key that is not there', async () => {
    const { manager } = await open();
    const given = { Name: 'db', SecretString: canary, KmsKeyId: 'alias/none' };
    expect(await manager.refusal('CreateSecret', given)).toMatch(/^EncryptionFailure: .*alias\/none' does not exist$/);
  });
});

describe('a secure string with a key of its own', () => {
  test('is a ciphertext that KMS opens with the ARN of the parameter as its context', async () => {
    const { store, kms, parameters } = await open();
    await store.call('PutParameter', { Name: '/app/key', Value: canary, Type: 'SecureString', KeyId: 'alias/app' });
    const { Parameter } = await store.call('GetParameter', { Name: '/app/key' });
    const PARAMETER_ARN = parameters.arn(account, '/app/key');
    const opened = await kms.call('Decrypt', { CiphertextBlob: Parameter.Value, EncryptionContext: { PARAMETER_ARN } });
    expect(Buffer.from(opened.Plaintext, 'base64').toString()).toBe(canary);
    const { Parameters } = await store.call('DescribeParameters', {
      ParameterFilters: [{ Key: 'KeyId', Values: ['alias/app'] }],
    });
    expect(Parameters).toMatchObject([{ Name: '/app/key', KeyId: 'alias/app' }]);
  });

  test('is read by who may use the key, and with its execution role by a task', async () => {
    const { store, arn, read, refused, kms, id } = await open();
    await store.call('PutParameter', { Name: '/app/key', Value: canary, Type: 'SecureString', KeyId: id });
    expect(await read('/app/key')).toMatchObject({ web: { environment: { VALUE: canary } } });
    refused.add(arn);
    await expect(read('/app/key')).rejects.toThrow(denied(arn));
    for (const [name, input] of [
      ['GetParameter', { Name: '/app/key' }],
      ['GetParameters', { Names: ['/app/key'] }],
      ['GetParametersByPath', { Path: '/app' }],
      ['GetParameterHistory', { Name: '/app/key' }],
    ] as const) {
      expect(await store.refusal(name, { ...input, WithDecryption: true })).toMatch(denied(arn));
      await store.call(name, input);
    }
    refused.clear();
    await kms.call('DisableKey', { KeyId: id });
    await expect(read('/app/key')).rejects.toThrow(`InvalidKeyId: ${arn} is disabled.`);
    expect(await store.refusal('GetParameter', { Name: '/app/key', WithDecryption: true })).toMatch(/^InvalidKeyId/);
  });
});

test('what was kept before there were keys is read as it was', async () => {
  const { manager, records, sealer, store } = openSettings();
  const { ARN, VersionId } = await manager.call('CreateSecret', { Name: 'old', SecretString: 'now' });
  await store.call('PutParameter', { Name: 'old', Value: 'now', Type: 'SecureString' });
  const before = (name: string): string => sealer.seal('before', name);
  await records.commit(`secrets/${account}`, {
    put: [
      {
        key: `value/old|${VersionId}`,
        value: { kind: 'string', sealed: before(`secret ${account}/${ARN.split(':secret:')[1]}/${VersionId}`) },
      },
    ],
  });
  await records.commit(`parameters/${account}`, {
    put: [{ key: 'value/old|1', value: { sealed: before(`parameter ${account}/old/1`) } }],
  });
  expect((await manager.call('GetSecretValue', { SecretId: 'old' })).SecretString).toBe('before');
  const { Parameter } = await store.call('GetParameter', { Name: 'old', WithDecryption: true });
  expect(Parameter.Value).toBe('before');
});
