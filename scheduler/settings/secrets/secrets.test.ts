import { fill, watchLists } from '@slipway/storage/records/testing';
import { describe, expect, test } from 'vitest';

import { everyRecord, openSettings } from '../testing/open-settings.ts';
import { looksUntilGone } from '../keys/index.ts';
import { secretKeys, secretsPartition } from './records.ts';
import { mostSecrets } from './store.ts';
import { mostVersions } from './versions.ts';

const day = 86_400_000;
const one = 'a'.repeat(32);
const two = 'b'.repeat(32);
const marked =
  "InvalidRequestException: You can't perform this operation on the secret because it was marked for deletion.";
const missing = "ResourceNotFoundException: Secrets Manager can't find the specified secret.";

describe('a secret', () => {
  test('is made, read, described and listed; its value is nowhere in clear', async () => {
    const world = openSettings();
    const { call } = world.manager;
    const made = await call('CreateSecret', {
      Name: 'prod/db',
      Description: 'the database',
      ClientRequestToken: one,
      SecretString: '{"username":"canary-7f3a"}',
      Tags: [{ Key: 'team', Value: 'blue' }],
    });
    expect(made).toEqual({
      ARN: expect.stringMatching(/^arn:aws:secretsmanager:us-east-1:000000000000:secret:prod\/db-[A-Za-z0-9]{6}$/),
      Name: 'prod/db',
      VersionId: one,
    });
    expect(await call('GetSecretValue', { SecretId: 'prod/db' })).toEqual({
      ...made,
      SecretString: '{"username":"canary-7f3a"}',
      VersionStages: ['AWSCURRENT'],
      CreatedDate: world.clock.at / 1000,
    });
    const common = {
      ARN: made.ARN,
      Name: 'prod/db',
      Description: 'the database',
      Tags: [{ Key: 'team', Value: 'blue' }],
      CreatedDate: world.clock.at / 1000,
      LastChangedDate: world.clock.at / 1000,
    };
    expect(await call('DescribeSecret', { SecretId: made.ARN })).toEqual({
      ...common,
      VersionIdsToStages: { [one]: ['AWSCURRENT'] },
    });
    expect(await call('ListSecrets')).toEqual({
      SecretList: [{ ...common, SecretVersionsToStages: { [one]: ['AWSCURRENT'] } }],
    });
    expect(await everyRecord(world)).not.toContain('canary-7f3a');
  });

  test('takes bytes, and gives them back', async () => {
    const { manager } = openSettings();
    const bytes = Buffer.from([0, 255, 1, 128]).toString('base64');
    await manager.call('CreateSecret', { Name: 'bytes', SecretBinary: bytes });
    const read = await manager.call('GetSecretValue', { SecretId: 'bytes' });
    expect([read.SecretBinary, read.SecretString]).toEqual([bytes, undefined]);
  });

  test('is found by its name, its ARN, and its ARN without the end, the whole one first', async () => {
    const { manager } = openSettings();
    const short = await manager.call('CreateSecret', { Name: 'web', SecretString: 'short' });
    const long = await manager.call('CreateSecret', { Name: short.ARN.split(':secret:')[1], SecretString: 'long' });
    const value = async (SecretId: string) => (await manager.call('GetSecretValue', { SecretId })).SecretString;
    const bare = short.ARN.slice(0, -7);
    expect([await value('web'), await value(bare), await value(short.ARN), await value(long.ARN)]).toEqual([
      'short',
      'short',
      'short',
      'long',
    ]);
    for (const other of [
      bare.replace('us-east-1', 'eu-west-1'),
      bare.replace('000000000000', '111111111111'),
      `${bare}-abcdef`,
    ])
      expect(await manager.refusal('GetSecretValue', { SecretId: other })).toBe(missing);
  });

  test('of a name that is taken is refused, unless it is the same request again', async () => {
    const { manager } = openSettings();
    const input = { Name: 'web', SecretString: 'x', ClientRequestToken: one };
    const first = await manager.call('CreateSecret', input);
    expect(await manager.call('CreateSecret', input)).toEqual(first);
    for (const other of [
      { ...input, SecretString: 'y' },
      { ...input, ClientRequestToken: two },
    ])
      expect(await manager.refusal('CreateSecret', other)).toBe(
        'ResourceExistsException: The operation failed because the secret web already exists.',
      );
  });

  test.each([
    [
      'both kinds of value',
      { SecretString: 'x', SecretBinary: 'eA==' },
      /^InvalidParameterException: You can't specify both/,
    ],
    ['a value that is too long', { SecretString: 'é'.repeat(32_769) }, /^InvalidParameterException: .*65538 bytes/],
    ['a name with other characters', { Name: 'a b' }, /Name/],
    [
      'replicas',
      { AddReplicaRegions: [{ Region: 'eu-west-1' }] },
      /^InvalidRequestException: AddReplicaRegions is not supported.*one region/,
    ],
    ['a key that is not there', { KmsKeyId: 'alias/mine' }, /^EncryptionFailure: .*alias\/mine' does not exist/],
    ['a tag that is reserved', { Tags: [{ Key: 'aws:x', Value: '' }] }, /^InvalidParameterException: .*reserved/],
    ['a token that is too short', { ClientRequestToken: 'short' }, /ClientRequestToken/i],
  ])('with %s is refused', async (_, more, why) => {
    const { manager } = openSettings();
    expect(await manager.refusal('CreateSecret', { Name: 'web', ...more })).toMatch(why);
  });
});

describe('versions', () => {
  test('move the labels: the last value stays readable, and each token stands for one value', async () => {
    const { manager } = openSettings();
    const { call } = manager;
    await call('CreateSecret', { Name: 'web', SecretString: 'one', ClientRequestToken: one });
    const put = { SecretId: 'web', SecretString: 'two', ClientRequestToken: two };
    expect(await call('PutSecretValue', put)).toMatchObject({ VersionId: two, VersionStages: ['AWSCURRENT'] });
    expect(await call('PutSecretValue', put)).toMatchObject({ VersionId: two, VersionStages: ['AWSCURRENT'] });
    expect(await manager.refusal('PutSecretValue', { ...put, SecretString: 'three' })).toMatch(
      /^ResourceExistsException: You can't use ClientRequestToken b+ because that value is already in use for a version of secret arn:/,
    );
    const value = async (choice: object) => (await call('GetSecretValue', { SecretId: 'web', ...choice })).SecretString;
    expect([
      await value({}),
      await value({ VersionStage: 'AWSPREVIOUS' }),
      await value({ VersionId: one }),
      await value({ VersionId: two, VersionStage: 'AWSCURRENT' }),
    ]).toEqual(['two', 'one', 'one', 'two']);
    expect(await manager.refusal('GetSecretValue', { SecretId: 'web', VersionStage: 'NONE' })).toBe(
      "ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: NONE",
    );
    expect(
      await manager.refusal('GetSecretValue', { SecretId: 'web', VersionId: one, VersionStage: 'AWSCURRENT' }),
    ).toBe('InvalidRequestException: You provided a VersionStage that is not associated to the provided VersionId.');
    expect(await manager.refusal('GetSecretValue', { SecretId: 'web', VersionId: 'c'.repeat(32) })).toMatch(
      /for VersionId: c+$/,
    );
  });

  test('take labels of their own, which move by hand', async () => {
    const { manager } = openSettings();
    const { call, refusal } = manager;
    await call('CreateSecret', { Name: 'web', SecretString: 'one', ClientRequestToken: one });
    const pending = { SecretId: 'web', SecretString: 'two', ClientRequestToken: two, VersionStages: ['AWSPENDING'] };
    await call('PutSecretValue', pending);
    const stages = async () => (await call('DescribeSecret', { SecretId: 'web' })).VersionIdsToStages;
    expect(await stages()).toEqual({ [one]: ['AWSCURRENT'], [two]: ['AWSPENDING'] });
    const move = { SecretId: 'web', VersionStage: 'AWSCURRENT' };
    expect(await refusal('UpdateSecretVersionStage', { ...move, MoveToVersionId: two })).toMatch(
      /^InvalidParameterException: The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version a+/,
    );
    expect(await refusal('UpdateSecretVersionStage', { ...move, RemoveFromVersionId: one })).toMatch(
      /can't be completely removed/,
    );
    expect(await refusal('UpdateSecretVersionStage', move)).toMatch(/^InvalidParameterException/);
    await call('UpdateSecretVersionStage', { ...move, RemoveFromVersionId: one, MoveToVersionId: two });
    expect(await stages()).toEqual({ [one]: ['AWSPREVIOUS'], [two]: ['AWSPENDING', 'AWSCURRENT'] });
    await call('UpdateSecretVersionStage', { SecretId: 'web', VersionStage: 'AWSPENDING', RemoveFromVersionId: two });
    await call('UpdateSecretVersionStage', { ...move, RemoveFromVersionId: two, MoveToVersionId: one });
    expect(await stages()).toEqual({ [one]: ['AWSCURRENT'], [two]: ['AWSPREVIOUS'] });
  });

  test('have twenty labels together', async () => {
    const { manager } = openSettings();
    const { call, refusal } = manager;
    await call('CreateSecret', { Name: 'web', SecretString: 'one', ClientRequestToken: one });
    const VersionStages = Array.from({ length: 19 }, (_, index) => `label ${index}`);
    await call('PutSecretValue', { SecretId: 'web', SecretString: 'two', ClientRequestToken: two, VersionStages });
    const more = { SecretId: 'web', VersionStage: 'one more', MoveToVersionId: one };
    expect(await refusal('UpdateSecretVersionStage', more)).toMatch(/^LimitExceededException: .*at most 20/);
    // Those that are there move, and what comes of itself comes.
    await call('UpdateSecretVersionStage', {
      ...more,
      VersionStage: 'AWSCURRENT',
      RemoveFromVersionId: one,
      MoveToVersionId: two,
    });
    expect((await call('DescribeSecret', { SecretId: 'web' })).VersionIdsToStages[one]).toEqual(['AWSPREVIOUS']);
  });

  test('without a label go when there are a hundred, but not within a day', async () => {
    const world = openSettings();
    const { call, refusal } = world.manager;
    await call('CreateSecret', { Name: 'web' });
    const put = (index: number) => ({
      SecretId: 'web',
      SecretString: `value ${index}`,
      ClientRequestToken: String(index).padStart(32, '0'),
    });
    for (let index = 0; index < mostVersions; index++) await call('PutSecretValue', put(index));
    expect(await refusal('PutSecretValue', put(mostVersions))).toMatch(/^LimitExceededException: /);
    world.clock.at += day + 1;
    await call('PutSecretValue', put(mostVersions));
    const listed = await call('ListSecretVersionIds', { SecretId: 'web', IncludeDeprecated: true, MaxResults: 60 });
    const rest = await call('ListSecretVersionIds', {
      SecretId: 'web',
      IncludeDeprecated: true,
      MaxResults: 60,
      NextToken: listed.NextToken,
    });
    expect([listed.Versions.length, rest.Versions.length]).toEqual([60, mostVersions - 60]);
    expect(await refusal('GetSecretValue', { SecretId: 'web', VersionId: put(0).ClientRequestToken })).toMatch(
      /VersionId/,
    );
    expect((await call('ListSecretVersionIds', { SecretId: 'web' })).Versions).toHaveLength(2);
    expect(await everyRecord(world)).not.toContain(`value/web|${put(0).ClientRequestToken}`);
  });
});

describe('the end of a secret', () => {
  test('can be taken back for a time; then it is gone with its values, and the name is free', async () => {
    const world = openSettings();
    const { call, refusal } = world.manager;
    const first = await call('CreateSecret', { Name: 'web', SecretString: 'x', ClientRequestToken: one });
    const { DeletionDate } = await call('DeleteSecret', { SecretId: 'web', RecoveryWindowInDays: 7 });
    expect(DeletionDate).toBe((world.clock.at + 7 * day) / 1000);
    for (const name of ['GetSecretValue', 'GetResourcePolicy'])
      expect(await refusal(name, { SecretId: 'web' })).toBe(marked);
    expect(await refusal('PutSecretValue', { SecretId: 'web', SecretString: 'y' })).toBe(marked);
    expect(await refusal('CreateSecret', { Name: 'web' })).toBe(
      "InvalidRequestException: You can't create this secret because a secret with this name is already scheduled for deletion.",
    );
    expect(await refusal('DeleteSecret', { SecretId: 'web' })).toMatch(
      /^InvalidRequestException: .*currently marked deleted/,
    );
    expect((await call('DescribeSecret', { SecretId: 'web' })).DeletedDate).toBe(world.clock.at / 1000);
    expect((await call('ListSecrets')).SecretList).toEqual([]);
    expect((await call('ListSecrets', { IncludePlannedDeletion: true })).SecretList).toHaveLength(1);
    await call('RestoreSecret', { SecretId: 'web' });
    expect((await call('GetSecretValue', { SecretId: 'web' })).SecretString).toBe('x');
    await call('DeleteSecret', { SecretId: 'web' });
    world.clock.at += 30 * day;
    expect(await refusal('DescribeSecret', { SecretId: 'web' })).toBe(missing);
    // What a clock that is wrong says is over is not replaced.
    for (let looks = 0; looks < looksUntilGone; looks += 1) {
      expect(await refusal('CreateSecret', { Name: 'web' })).toMatch(/already scheduled for deletion/);
      await world.secrets.sweep();
    }
    const again = await call('CreateSecret', { Name: 'web' });
    expect(again.ARN).not.toBe(first.ARN);
    expect(await everyRecord(world)).not.toContain(`value/web|${one}`);
    expect(await refusal('GetSecretValue', { SecretId: first.ARN })).toBe(missing);
  });

  test('is swept when nobody makes it anew, and comes at once when it is forced', async () => {
    const world = openSettings();
    const { call, refusal } = world.manager;
    await call('CreateSecret', { Name: 'old', SecretString: 'x', ClientRequestToken: one });
    await call('CreateSecret', { Name: 'web', SecretString: 'x' });
    await call('DeleteSecret', { SecretId: 'old', RecoveryWindowInDays: 7 });
    world.clock.at += 8 * day;
    const look = async (times: number): Promise<void> => {
      for (let looks = 0; looks < times; looks += 1) await world.secrets.sweep();
    };
    await look(looksUntilGone - 1);
    world.clock.at -= 8 * day;
    await look(1);
    expect((await call('DescribeSecret', { SecretId: 'old' })).DeletedDate).toBeDefined();
    world.clock.at += 8 * day;
    await look(looksUntilGone - 1);
    expect(await everyRecord(world)).toContain('secret/old');
    await look(1);
    const left = await everyRecord(world);
    expect([left.includes('secret/old'), left.includes('value/old'), left.includes('secret/web')]).toEqual([
      false,
      false,
      true,
    ]);
    await call('DeleteSecret', { SecretId: 'web', ForceDeleteWithoutRecovery: true });
    await call('DeleteSecret', { SecretId: 'web', ForceDeleteWithoutRecovery: true });
    expect(await refusal('DescribeSecret', { SecretId: 'web' })).toBe(missing);
    const both = { SecretId: 'web', ForceDeleteWithoutRecovery: true, RecoveryWindowInDays: 7 };
    expect(await refusal('DeleteSecret', both)).toMatch(/in conjunction/);
    expect(await refusal('DeleteSecret', { SecretId: 'web', RecoveryWindowInDays: 6 })).toMatch(/between 7 and 30/);
    expect(await refusal('DeleteSecret', { SecretId: 'web' })).toBe(missing);
  });
});

describe('who may read a secret', () => {
  test('is asked with its ARN, its tags, its policy and what is read of it', async () => {
    const { manager } = openSettings();
    const { ARN } = await manager.call('CreateSecret', {
      Name: 'web',
      SecretString: 'x',
      Tags: [{ Key: 'team', Value: 'blue' }],
    });
    const policy = JSON.stringify({
      Statement: {
        Effect: 'Allow',
        Principal: { AWS: 'arn:aws:iam::000000000000:user/ada' },
        Action: '*',
        Resource: '*',
      },
    });
    await manager.call('PutResourcePolicy', { SecretId: 'web', ResourcePolicy: policy });
    expect(await manager.access('GetSecretValue', { SecretId: 'web' })).toEqual([
      {
        action: 'secretsmanager:GetSecretValue',
        resources: [{ arn: ARN, tags: { team: 'blue' }, policy: policy.replace('user/ada', 'AIDAADA') }],
        context: {
          'secretsmanager:SecretId': ARN,
          'secretsmanager:ResourceTag/team': 'blue',
          'secretsmanager:VersionStage': 'AWSCURRENT',
          'secretsmanager:VersionId': undefined,
        },
      },
    ]);
    expect(await manager.call('GetResourcePolicy', { SecretId: 'web' })).toEqual({
      ARN,
      Name: 'web',
      ResourcePolicy: policy,
    });
    await manager.call('DeleteResourcePolicy', { SecretId: 'web' });
    expect(await manager.call('GetResourcePolicy', { SecretId: 'web' })).toEqual({ ARN, Name: 'web' });
    const [absent] = await manager.access('GetSecretValue', { SecretId: 'none' });
    expect(absent?.resources).toEqual([{ arn: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:none' }]);
  });

  test('a policy that is none, or for everybody, is told or refused', async () => {
    const { manager } = openSettings();
    await manager.call('CreateSecret', { Name: 'web' });
    const open = JSON.stringify({ Statement: { Effect: 'Allow', Principal: '*', Action: '*', Resource: '*' } });
    const put = { SecretId: 'web', ResourcePolicy: open, BlockPublicPolicy: true };
    expect(await manager.refusal('PutResourcePolicy', put)).toMatch(/^PublicPolicyException: /);
    const empty = open.replace('{"Effect"', '{"Condition":{},"Effect"');
    expect(await manager.refusal('PutResourcePolicy', { ...put, ResourcePolicy: empty })).toMatch(
      /^PublicPolicyException: /,
    );
    expect(await manager.refusal('PutResourcePolicy', { ...put, ResourcePolicy: '{' })).toMatch(
      /^MalformedPolicyDocumentException: .*line 1/,
    );
    expect(await manager.call('ValidateResourcePolicy', { ResourcePolicy: open })).toMatchObject({
      PolicyValidationPassed: false,
      ValidationErrors: [{ CheckName: 'PublicPolicy' }],
    });
    expect(await manager.call('ValidateResourcePolicy', { ResourcePolicy: '{' })).toMatchObject({
      ValidationErrors: [{ CheckName: 'PolicySyntax' }],
    });
  });

  test('of several is asked for each: what is refused spoils no other', async () => {
    const world = openSettings();
    const { call } = world.manager;
    const [web, api] = [
      await call('CreateSecret', { Name: 'web', SecretString: 'w' }),
      await call('CreateSecret', { Name: 'api', SecretString: 'a' }),
    ];
    world.refused.add(api.ARN);
    const { SecretValues, Errors } = await call('BatchGetSecretValue', { SecretIdList: ['web', 'api', 'none'] });
    expect(SecretValues).toMatchObject([{ ARN: web.ARN, SecretString: 'w' }]);
    expect(Errors).toMatchObject([
      { SecretId: 'api', ErrorCode: 'AccessDeniedException' },
      { SecretId: 'none', ErrorCode: 'ResourceNotFoundException' },
    ]);
    expect(
      (await call('BatchGetSecretValue', { Filters: [{ Key: 'name', Values: ['w'] }] })).SecretValues,
    ).toHaveLength(1);
    expect(await world.manager.refusal('BatchGetSecretValue', {})).toMatch(/^InvalidParameterException/);
  });
});

test('secrets are listed by filters, in an order, page by page', async () => {
  const world = openSettings();
  const { call } = world.manager;
  for (const [index, Name] of ['prod/db', 'prod/api', 'test/db'].entries()) {
    world.clock.at += 1000;
    await call('CreateSecret', {
      Name,
      Description: `Number ${index}`,
      Tags: [{ Key: 'place', Value: Name.slice(0, 4) }],
    });
  }
  const names = async (input: object): Promise<string[]> =>
    (await call('ListSecrets', input)).SecretList.map(({ Name }: { Name: string }) => Name);
  const by = (Key: string, ...Values: string[]) =>
    names({ SortBy: 'name', SortOrder: 'asc', Filters: [{ Key, Values }] });
  expect(await names({})).toEqual(['test/db', 'prod/api', 'prod/db']);
  expect(await names({ SortBy: 'name', SortOrder: 'desc' })).toEqual(['test/db', 'prod/db', 'prod/api']);
  expect(await by('name', 'prod/')).toEqual(['prod/api', 'prod/db']);
  expect(await by('name', '!prod/')).toEqual(['test/db']);
  expect(await by('name', 'Prod/')).toEqual([]);
  expect(await by('description', 'number 1')).toEqual(['prod/api']);
  expect(await by('tag-value', 'test', 'none')).toEqual(['test/db']);
  expect(await by('all', 'DB')).toEqual(['prod/db', 'test/db']);
  expect(await by('owning-service', 'x')).toEqual([]);
  const first = await call('ListSecrets', { MaxResults: 2, SortBy: 'name' });
  const second = await call('ListSecrets', { MaxResults: 2, SortBy: 'name', NextToken: first.NextToken });
  expect(second.SecretList).toMatchObject([{ Name: 'prod/api' }]);
  expect(await world.manager.refusal('ListSecrets', { NextToken: first.NextToken })).toMatch(
    /^InvalidNextTokenException/,
  );
});

test('tags are added and removed', async () => {
  const { manager } = openSettings();
  await manager.call('CreateSecret', { Name: 'web', Tags: [{ Key: 'a', Value: '1' }] });
  await manager.call('TagResource', { SecretId: 'web', Tags: [{ Key: 'b', Value: '2' }] });
  await manager.call('UntagResource', { SecretId: 'web', TagKeys: ['a'] });
  expect((await manager.call('DescribeSecret', { SecretId: 'web' })).Tags).toEqual([{ Key: 'b', Value: '2' }]);
});

test('passwords are of what is asked for', async () => {
  const { manager } = openSettings();
  const password = async (rules: object): Promise<string> =>
    (await manager.call('GetRandomPassword', rules)).RandomPassword;
  expect(await password({})).toMatch(/^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?=.*[^a-zA-Z\d])[!-~]{32}$/);
  expect(await password({ PasswordLength: 4 })).toMatch(/^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?=.*[^a-zA-Z\d]).{4}$/);
  expect(
    await password({ ExcludePunctuation: true, ExcludeNumbers: true, ExcludeUppercase: true, ExcludeCharacters: 'a' }),
  ).toMatch(/^[b-z]{32}$/);
  expect(await manager.refusal('GetRandomPassword', { PasswordLength: 3 })).toMatch(/too short/);
});

test.each(['RemoveRegionsFromReplication', 'ReplicateSecretToRegions'])('%s is refused by name', async (name) => {
  const { manager } = openSettings();
  expect(await manager.refusal(name)).toMatch(
    new RegExp(`^InvalidRequestException: ${name} is not supported by this installation. `),
  );
});

test('an account has so many secrets, and whether one more may be is told without reading them', async () => {
  const { manager, records } = openSettings();
  const keys = Array.from({ length: mostSecrets - 1 }, (_, index) => secretKeys.secret(`s${index}`));
  await fill(records, secretsPartition('000000000000'), keys);
  const seen = watchLists(records);
  await manager.call('CreateSecret', { Name: 'last', SecretString: 'x' });
  expect(await manager.refusal('CreateSecret', { Name: 'over', SecretString: 'x' })).toMatch(
    /^LimitExceededException: You have reached the maximum number of secrets: an account has at most 5000\.$/,
  );
  expect(seen.rows).toBe(0);
});
