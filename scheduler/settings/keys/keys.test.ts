import { describe, expect, test } from 'vitest';

import { account, region } from '../../balancing/testing/caller.ts';
import { everyRecord, openSettings } from '../testing/open-settings.ts';
import { keyKeys, keysPartition, looksUntilGone } from './records.ts';

const day = 86_400_000;
const base64 = (text: string): string => Buffer.from(text).toString('base64');

async function openKey(input: object = {}) {
  const world = openSettings();
  const { KeyMetadata: key } = await world.kms.call('CreateKey', input);
  const encrypt = async (text: string, more: object = {}): Promise<string> =>
    (await world.kms.call('Encrypt', { KeyId: key.KeyId, Plaintext: base64(text), ...more })).CiphertextBlob;
  const decrypt = async (CiphertextBlob: string, more: object = {}): Promise<string> =>
    Buffer.from((await world.kms.call('Decrypt', { CiphertextBlob, ...more })).Plaintext, 'base64').toString();
  return { ...world, key, id: key.KeyId as string, arn: key.Arn as string, encrypt, decrypt };
}

describe('a key', () => {
  test('is made, described and listed, and its material is nowhere in clear', async () => {
    const world = await openKey({ Description: 'the key', Tags: [{ TagKey: 'team', TagValue: 'blue' }] });
    const { key, kms, id, arn } = world;
    expect(key).toEqual({
      AWSAccountId: account,
      KeyId: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
      Arn: `arn:aws:kms:${region}:${account}:key/${id}`,
      CreationDate: world.clock.at / 1000,
      Enabled: true,
      Description: 'the key',
      KeyUsage: 'ENCRYPT_DECRYPT',
      KeyState: 'Enabled',
      Origin: 'AWS_KMS',
      KeyManager: 'CUSTOMER',
      CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
      KeySpec: 'SYMMETRIC_DEFAULT',
      EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
      MultiRegion: false,
      CurrentKeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(await kms.call('DescribeKey', { KeyId: arn })).toEqual({ KeyMetadata: key });
    expect(await kms.call('ListKeys')).toEqual({ Keys: [{ KeyId: id, KeyArn: arn }], Truncated: false });
    expect(await kms.call('ListResourceTags', { KeyId: id })).toEqual({
      Tags: [{ TagKey: 'team', TagValue: 'blue' }],
      Truncated: false,
    });
    const stored = await world.records.get<{ sealed: string }>(keysPartition(account), keyKeys.material(id, 1));
    const material = world.sealer.open(stored?.value.sealed ?? '', `key material ${account}/${id}/1`);
    expect(Buffer.from(material, 'base64')).toHaveLength(32);
    await world.encrypt('canary-8c21');
    expect(await everyRecord(world)).not.toContain(material);
    expect(await everyRecord(world)).not.toContain('canary-8c21');
  });

  test.each([
    ['another spec', { KeySpec: 'RSA_2048' }, /^UnsupportedOperationException: A key of the spec RSA_2048/],
    ['another use', { KeyUsage: 'SIGN_VERIFY' }, /^UnsupportedOperationException: A key for SIGN_VERIFY/],
    ['imported material', { Origin: 'EXTERNAL' }, /^UnsupportedOperationException: A key of the origin EXTERNAL/],
    ['more regions', { MultiRegion: true }, /^UnsupportedOperationException: MultiRegion/],
    ['another store', { CustomKeyStoreId: 'cks-1' }, /^UnsupportedOperationException: CustomKeyStoreId/],
    ['a policy that is none', { Policy: '{}' }, /^MalformedPolicyDocumentException/],
    ['reserved tags', { Tags: [{ TagKey: 'aws:x', TagValue: '' }] }, /^TagException/],
  ])('is not made with %s', async (_what, input, refusal) => {
    expect(await openSettings().kms.refusal('CreateKey', input)).toMatch(refusal);
  });

  test('is found by id, ARN, alias and alias ARN; what is not there is said in the words of KMS', async () => {
    const { kms, id, arn } = await openKey();
    await kms.call('CreateAlias', { AliasName: 'alias/prod/db', TargetKeyId: arn });
    const alias = `arn:aws:kms:${region}:${account}:alias/prod/db`;
    for (const KeyId of [id, arn, 'alias/prod/db', alias])
      expect((await kms.call('DescribeKey', { KeyId })).KeyMetadata.KeyId).toBe(id);
    expect(await kms.refusal('DescribeKey', { KeyId: 'none' })).toBe(
      `NotFoundException: Key 'arn:aws:kms:${region}:${account}:key/none' does not exist`,
    );
    expect(await kms.refusal('DescribeKey', { KeyId: 'alias/none' })).toBe(
      `NotFoundException: Alias arn:aws:kms:${region}:${account}:alias/none is not found.`,
    );
    const elsewhere = arn.replace(region, 'eu-west-1');
    expect(await kms.refusal('DescribeKey', { KeyId: elsewhere })).toBe(
      `NotFoundException: Key '${elsewhere}' does not exist`,
    );
  });

  test('that is disabled or pending deletion encrypts and decrypts nothing, and comes back', async () => {
    const { kms, id, arn, encrypt, decrypt } = await openKey();
    const sealed = await encrypt('text');
    await kms.call('DisableKey', { KeyId: id });
    expect(await kms.refusal('Encrypt', { KeyId: id, Plaintext: base64('x') })).toBe(
      `DisabledException: ${arn} is disabled.`,
    );
    expect(await kms.refusal('Decrypt', { CiphertextBlob: sealed })).toBe(`DisabledException: ${arn} is disabled.`);
    await kms.call('EnableKey', { KeyId: id });
    expect(await decrypt(sealed)).toBe('text');
    await kms.call('ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays: 7 });
    const pending = `KMSInvalidStateException: ${arn} is pending deletion.`;
    for (const [name, input] of [
      ['Encrypt', { KeyId: id, Plaintext: base64('x') }],
      ['EnableKey', { KeyId: id }],
      ['ScheduleKeyDeletion', { KeyId: id }],
      ['CreateAlias', { AliasName: 'alias/late', TargetKeyId: id }],
      ['EnableKeyRotation', { KeyId: id }],
    ] as const)
      expect(await kms.refusal(name, input)).toBe(pending);
    await kms.call('CancelKeyDeletion', { KeyId: id });
    expect((await kms.call('DescribeKey', { KeyId: id })).KeyMetadata.KeyState).toBe('Disabled');
    await kms.call('EnableKey', { KeyId: id });
    expect(await decrypt(sealed)).toBe('text');
  });

  test('is destroyed with its material and its aliases when its time is over, and not before', async () => {
    const world = await openKey();
    const { kms, id, clock, keys } = world;
    await kms.call('CreateAlias', { AliasName: 'alias/gone', TargetKeyId: id });
    const sealed = await world.encrypt('text');
    for (const PendingWindowInDays of [6, 31])
      expect(await kms.refusal('ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays })).toMatch(
        /^ValidationException/,
      );
    const deleted = await kms.call('ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays: 7 });
    expect(deleted).toMatchObject({ KeyState: 'PendingDeletion', DeletionDate: clock.at / 1000 + 7 * 86_400 });
    clock.at += 7 * day - 1;
    expect(await keys.sweep()).toEqual({ destroyed: 0, rotated: 0 });
    clock.at += 1;
    expect(await kms.refusal('CancelKeyDeletion', { KeyId: id })).toMatch(/^NotFoundException/);
    // A clock that jumps ahead and comes back has hidden it, and begun nothing that goes on then.
    for (let looks = 1; looks < looksUntilGone; looks += 1)
      expect(await keys.sweep()).toEqual({ destroyed: 0, rotated: 0 });
    clock.at -= 1;
    expect(await keys.sweep()).toEqual({ destroyed: 0, rotated: 0 });
    expect((await kms.call('DescribeKey', { KeyId: id })).KeyMetadata.KeyState).toBe('PendingDeletion');
    clock.at += 1;
    for (let looks = 1; looks < looksUntilGone; looks += 1)
      expect(await keys.sweep()).toEqual({ destroyed: 0, rotated: 0 });
    expect(await keys.sweep()).toEqual({ destroyed: 1, rotated: 0 });
    expect(await kms.refusal('Decrypt', { CiphertextBlob: sealed })).toMatch(/^InvalidCiphertextException/);
    const left = await world.records.list(keysPartition(account));
    expect(left.records.map(({ key }) => key).filter((key) => key !== keyKeys.signingKey)).toEqual([]);
  });

  test('is rotated when it is due and on demand, and opens what was encrypted before', async () => {
    const { kms, id, arn, clock, keys, encrypt, decrypt } = await openKey();
    const first = await encrypt('first');
    expect(await kms.call('GetKeyRotationStatus', { KeyId: id })).toEqual({ KeyRotationEnabled: false, KeyId: arn });
    await kms.call('EnableKeyRotation', { KeyId: id, RotationPeriodInDays: 90 });
    expect(await kms.call('GetKeyRotationStatus', { KeyId: id })).toEqual({
      KeyRotationEnabled: true,
      KeyId: arn,
      RotationPeriodInDays: 90,
      NextRotationDate: clock.at / 1000 + 90 * 86_400,
    });
    clock.at += 90 * day;
    expect(await keys.sweep()).toEqual({ destroyed: 0, rotated: 1 });
    expect(await keys.sweep()).toEqual({ destroyed: 0, rotated: 0 });
    const second = await encrypt('second');
    await kms.call('RotateKeyOnDemand', { KeyId: id });
    expect([await decrypt(first), await decrypt(second), await decrypt(await encrypt('third'))]).toEqual([
      'first',
      'second',
      'third',
    ]);
    const { Rotations: rotations } = await kms.call('ListKeyRotations', { KeyId: id });
    expect(
      rotations.map((one: { RotationType: string; KeyMaterialState: string }) => [
        one.RotationType,
        one.KeyMaterialState,
      ]),
    ).toEqual([
      ['AUTOMATIC', 'NON_CURRENT'],
      ['ON_DEMAND', 'CURRENT'],
    ]);
    const all = await kms.call('ListKeyRotations', { KeyId: id, IncludeKeyMaterial: 'ALL_KEY_MATERIAL', Limit: 2 });
    expect([all.Rotations.length, all.Truncated]).toEqual([2, true]);
    await kms.call('DisableKeyRotation', { KeyId: id });
    clock.at += 400 * day;
    expect(await keys.sweep()).toEqual({ destroyed: 0, rotated: 0 });
  });
});

describe('what is encrypted', () => {
  test('opens with its encryption context alone, and says which key it was', async () => {
    const { kms, arn, encrypt } = await openKey();
    const sealed = await encrypt('text', { EncryptionContext: { app: 'web', stage: 'prod' } });
    const opened = await kms.call('Decrypt', {
      CiphertextBlob: sealed,
      EncryptionContext: { stage: 'prod', app: 'web' },
    });
    expect(opened).toMatchObject({ KeyId: arn, Plaintext: base64('text'), EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' });
    for (const EncryptionContext of [undefined, { app: 'web' }, { app: 'web', stage: 'test' }])
      expect(await kms.refusal('Decrypt', { CiphertextBlob: sealed, EncryptionContext })).toMatch(
        /^InvalidCiphertextException/,
      );
    expect(await kms.refusal('Decrypt', { CiphertextBlob: base64('none') })).toMatch(/^InvalidCiphertextException/);
    const other = (await kms.call('CreateKey')).KeyMetadata.KeyId;
    const wrong = { CiphertextBlob: sealed, KeyId: other };
    expect(await kms.refusal('Decrypt', wrong)).toMatch(/^IncorrectKeyException/);
  });

  test('is encrypted anew under another key without its plaintext being shown', async () => {
    const { kms, arn, encrypt, decrypt } = await openKey();
    const other = (await kms.call('CreateKey')).KeyMetadata;
    const moved = await kms.call('ReEncrypt', {
      CiphertextBlob: await encrypt('text', { EncryptionContext: { a: '1' } }),
      SourceEncryptionContext: { a: '1' },
      DestinationKeyId: other.KeyId,
      DestinationEncryptionContext: { b: '2' },
    });
    expect(moved).toMatchObject({ SourceKeyId: arn, KeyId: other.Arn });
    expect(await decrypt(moved.CiphertextBlob, { EncryptionContext: { b: '2' }, KeyId: other.Arn })).toBe('text');
  });

  test('may be data keys, of which both sides are the same; random bytes are as many as were asked for', async () => {
    const { kms, id, decrypt } = await openKey();
    const made = await kms.call('GenerateDataKey', { KeyId: id, KeySpec: 'AES_256' });
    expect(Buffer.from(made.Plaintext, 'base64')).toHaveLength(32);
    const opened = (await kms.call('Decrypt', { CiphertextBlob: made.CiphertextBlob })).Plaintext;
    expect(opened).toBe(made.Plaintext);
    const hidden = await kms.call('GenerateDataKeyWithoutPlaintext', { KeyId: id, NumberOfBytes: 5 });
    expect([hidden.Plaintext, (await decrypt(hidden.CiphertextBlob)).length > 0]).toEqual([undefined, true]);
    expect(await kms.refusal('GenerateDataKey', { KeyId: id })).toMatch(/^ValidationException: Please specify either/);
    const { Plaintext } = await kms.call('GenerateRandom', { NumberOfBytes: 17 });
    expect(Buffer.from(Plaintext, 'base64')).toHaveLength(17);
    expect(await kms.refusal('GenerateDataKey', { KeyId: id, KeySpec: 'AES_256', DryRun: true })).toMatch(
      /^DryRunOperationException/,
    );
  });

  test.each([
    ['a plaintext of more than 4096 bytes', { Plaintext: base64('x'.repeat(4097)) }, /^ValidationException/],
    ['an algorithm of other keys', { EncryptionAlgorithm: 'RSAES_OAEP_SHA_1' }, /^InvalidKeyUsageException/],
    ['a grant', { GrantTokens: ['x'] }, /^UnsupportedOperationException: GrantTokens/],
    ['a large context', { EncryptionContext: { a: 'x'.repeat(9000) } }, /^ValidationException/],
  ])('has no %s', async (_what, input, refusal) => {
    const { kms, id } = await openKey();
    expect(await kms.refusal('Encrypt', { KeyId: id, Plaintext: base64('x'), ...input })).toMatch(refusal);
  });
});

describe('an alias', () => {
  test('is made, moved and removed; names of services are theirs', async () => {
    const { kms, id } = await openKey();
    const other = (await kms.call('CreateKey')).KeyMetadata.KeyId;
    const named = { AliasName: 'alias/one', TargetKeyId: id };
    await kms.call('CreateAlias', named);
    expect(await kms.refusal('CreateAlias', named)).toBe(
      `AlreadyExistsException: An alias with the name arn:aws:kms:${region}:${account}:alias/one already exists`,
    );
    await kms.call('UpdateAlias', { AliasName: 'alias/one', TargetKeyId: other });
    const listed = async (input: object = {}) =>
      (await kms.call('ListAliases', input)).Aliases.map((one: { AliasName: string; TargetKeyId?: string }) => [
        one.AliasName,
        one.TargetKeyId,
      ]);
    expect(await listed()).toEqual([
      ['alias/aws/secretsmanager', undefined],
      ['alias/aws/ssm', undefined],
      ['alias/one', other],
    ]);
    expect([await listed({ KeyId: id }), await listed({ KeyId: other })]).toEqual([[], [['alias/one', other]]]);
    await kms.call('DeleteAlias', { AliasName: 'alias/one' });
    expect(await kms.refusal('DeleteAlias', { AliasName: 'alias/one' })).toMatch(/^NotFoundException: Alias/);
    expect(await kms.refusal('CreateAlias', { ...named, AliasName: 'alias/aws/mine' })).toMatch(
      /^NotAuthorizedException/,
    );
    expect(await kms.refusal('CreateAlias', { ...named, AliasName: 'one' })).toMatch(/^InvalidAliasNameException/);
  });

  test('of a service stands for a key that is made when it is first asked for', async () => {
    const { kms } = openSettings();
    const { KeyMetadata: first } = await kms.call('DescribeKey', { KeyId: 'alias/aws/ssm' });
    const { KeyMetadata: again } = await kms.call('DescribeKey', { KeyId: 'alias/aws/ssm' });
    expect([first.KeyManager, again.KeyId]).toEqual(['AWS', first.KeyId]);
    expect((await kms.call('GetKeyRotationStatus', { KeyId: first.KeyId })).KeyRotationEnabled).toBe(true);
    expect(await kms.refusal('DisableKeyRotation', { KeyId: first.KeyId })).toMatch(/^UnsupportedOperationException/);
  });
});
