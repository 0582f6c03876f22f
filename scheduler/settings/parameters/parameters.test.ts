import { fill, watchLists } from '@slipway/storage/records/testing';
import { describe, expect, test } from 'vitest';

import { everyRecord, openSettings } from '../testing/open-settings.ts';
import { parameterKeys, parametersPartition } from './records.ts';
import { mostParameters, mostVersions } from './store.ts';

const arn = (name: string): string => `arn:aws:ssm:us-east-1:000000000000:parameter/${name}`;

async function put(world: ReturnType<typeof openSettings>, Name: string, Value: string, more: object = {}) {
  return world.store.call('PutParameter', { Name, Value, Type: 'String', ...more });
}

describe('a parameter', () => {
  test('is put, read and described; its value is nowhere in clear', async () => {
    const world = openSettings();
    const { call } = world.store;
    const made = { Description: 'the database', Tags: [{ Key: 'team', Value: 'blue' }] };
    expect(await put(world, '/prod/db', 'canary-51c2', made)).toEqual({ Version: 1, Tier: 'Standard' });
    const read = {
      Name: '/prod/db',
      Type: 'String',
      Value: 'canary-51c2',
      Version: 1,
      LastModifiedDate: world.clock.at / 1000,
      ARN: arn('prod/db'),
      DataType: 'text',
    };
    expect(await call('GetParameter', { Name: '/prod/db' })).toEqual({ Parameter: read });
    expect(await call('GetParameter', { Name: arn('prod/db') })).toEqual({ Parameter: read });
    expect(await call('DescribeParameters')).toEqual({
      Parameters: [
        {
          Name: '/prod/db',
          ARN: arn('prod/db'),
          Type: 'String',
          LastModifiedDate: world.clock.at / 1000,
          LastModifiedUser: 'arn:aws:iam::000000000000:user/tester',
          Description: 'the database',
          Version: 1,
          Tier: 'Standard',
          DataType: 'text',
        },
      ],
    });
    const tagged = { ResourceType: 'Parameter', ResourceId: '/prod/db' };
    await call('AddTagsToResource', { ...tagged, Tags: [{ Key: 'a', Value: 'b' }] });
    await call('RemoveTagsFromResource', { ...tagged, TagKeys: ['team'] });
    expect(await call('ListTagsForResource', tagged)).toEqual({ TagList: [{ Key: 'a', Value: 'b' }] });
    expect(await everyRecord(world)).not.toContain('canary-51c2');
  });

  test('that is secure is shown to who asks for it decrypted', async () => {
    const world = openSettings();
    const { call } = world.store;
    await put(world, 'key', 'canary-9be0', { Type: 'SecureString' });
    const sealed = (await call('GetParameter', { Name: 'key' })).Parameter.Value;
    expect(sealed).toMatch(/^[A-Za-z0-9+/]{30,}=*$/);
    expect((await call('GetParameter', { Name: 'key', WithDecryption: true })).Parameter.Value).toBe('canary-9be0');
    const history = await call('GetParameterHistory', { Name: 'key' });
    expect(history.Parameters).toMatchObject([{ KeyId: 'alias/aws/ssm', Value: sealed }]);
  });

  test.each<[string, object, RegExp]>([
    ['a reserved name', { Name: '/aws/x' }, /^AccessDeniedException: No access to reserved parameter name: \/aws\/x\./],
    ['a name of ssm', { Name: 'SSMx' }, /^ValidationException: Parameter name: can't be prefixed with "ssm"/],
    [
      'a path without its slash',
      { Name: 'a/b' },
      /^ValidationException: Parameter name must be a fully qualified name\./,
    ],
    ['too many levels', { Name: '/a'.repeat(16) }, /^HierarchyLevelLimitExceededException: .*15 levels/],
    ['other characters', { Name: 'a b' }, /^ValidationException: Parameter name/],
    [
      'no type',
      { Type: undefined },
      /^ValidationException: A parameter type is required when you create a parameter\./,
    ],
    ['a value that is too long', { Value: 'x'.repeat(4097) }, /^ValidationException: Standard tier .* 4096 characters/],
    ['one too long for any tier', { Value: 'x'.repeat(8193), Tier: 'Intelligent-Tiering' }, /8192/],
    [
      'a key that is not there',
      { Type: 'SecureString', KeyId: 'alias/mine' },
      /^InvalidKeyId: Key 'alias\/mine' does not exist/,
    ],
    ['policies', { Policies: '[{}]' }, /^ValidationException: Policies is not supported by this installation/],
    ['another type of data', { DataType: 'aws:ec2:image' }, /^ValidationException: DataType aws:ec2:image is not/],
    ['a pattern with groups', { AllowedPattern: '^(a+)+$' }, /^InvalidAllowedPatternException: .*groups/],
    [
      'a value beside its pattern',
      { AllowedPattern: '^[0-9]+$' },
      /^ParameterPatternMismatchException: .*\^\[0-9\]\+\$$/,
    ],
    [
      'tags that overwrite',
      { Overwrite: true, Tags: [{ Key: 'a', Value: 'b' }] },
      /^ValidationException: .*can't be used together/,
    ],
  ])('with %s is refused', async (_, more, why) => {
    const world = openSettings();
    expect(await world.store.refusal('PutParameter', { Name: 'web', Value: 'x', Type: 'String', ...more })).toMatch(
      why,
    );
    expect((await world.store.call('DescribeParameters')).Parameters).toEqual([]);
  });

  test('is found by its own name alone, and one name of an ARN is enough', async () => {
    const world = openSettings();
    await put(world, '/web', 'x');
    expect(await world.store.refusal('GetParameter', { Name: 'web' })).toBe(
      'ParameterNotFound: Parameter web not found.',
    );
    expect(await world.store.refusal('PutParameter', { Name: 'web', Value: 'x', Type: 'String' })).toMatch(
      /^ParameterAlreadyExists: .*\/web/,
    );
    expect(await world.store.refusal('GetParameter', { Name: arn('web').replace('us-east-1', 'eu-west-1') })).toMatch(
      /^ParameterNotFound/,
    );
  });
});

describe('versions', () => {
  test('are counted, selected by number and label, and kept a hundred', async () => {
    const world = openSettings();
    const { call, refusal } = world.store;
    await put(world, '/web', 'one', { Description: 'kept' });
    expect(await refusal('PutParameter', { Name: '/web', Value: 'two', Type: 'String' })).toBe(
      'ParameterAlreadyExists: The parameter already exists. To overwrite this value, set the overwrite option in the request to true.',
    );
    expect(await call('PutParameter', { Name: '/web', Value: 'two', Overwrite: true })).toMatchObject({ Version: 2 });
    expect(
      await call('LabelParameterVersion', { Name: '/web', ParameterVersion: 1, Labels: ['prod', '1st', 'aws-x'] }),
    ).toEqual({
      InvalidLabels: ['1st', 'aws-x'],
      ParameterVersion: 1,
    });
    const value = async (Name: string) => {
      const { Parameter } = await call('GetParameter', { Name });
      return [Parameter.Value, Parameter.Selector];
    };
    expect([
      await value('/web'),
      await value('/web:1'),
      await value('/web:prod'),
      await value(`${arn('web')}:prod`),
    ]).toEqual([
      ['two', undefined],
      ['one', ':1'],
      ['one', ':prod'],
      ['one', ':prod'],
    ]);
    expect(await refusal('GetParameter', { Name: '/web:9' })).toBe(
      'ParameterVersionNotFound: Systems Manager could not find version 9 of /web. Verify the version and try again.',
    );
    await call('LabelParameterVersion', { Name: '/web', Labels: ['prod'] });
    expect(await value('/web:prod')).toEqual(['two', ':prod']);
    expect(await call('UnlabelParameterVersion', { Name: '/web', ParameterVersion: 2, Labels: ['prod', 'x'] })).toEqual(
      {
        RemovedLabels: ['prod'],
        InvalidLabels: ['x'],
      },
    );
    await call('LabelParameterVersion', { Name: '/web', ParameterVersion: 1, Labels: ['kept'] });
    for (let version = 3; version <= mostVersions; version++)
      await call('PutParameter', { Name: '/web', Value: String(version), Overwrite: true });
    expect(await refusal('PutParameter', { Name: '/web', Value: 'x', Overwrite: true })).toMatch(
      /^ParameterMaxVersionLimitExceeded: .*Version 1, the oldest version, can't be deleted/,
    );
    await call('UnlabelParameterVersion', { Name: '/web', ParameterVersion: 1, Labels: ['kept'] });
    expect(await call('PutParameter', { Name: '/web', Value: 'x', Overwrite: true })).toMatchObject({ Version: 101 });
    const first = await call('GetParameterHistory', { Name: '/web' });
    const second = await call('GetParameterHistory', { Name: '/web', NextToken: first.NextToken });
    expect([first.Parameters[0].Version, first.Parameters.length, second.Parameters.length, second.NextToken]).toEqual([
      2,
      50,
      50,
      undefined,
    ]);
    expect(second.Parameters.at(-1)).toMatchObject({ Version: 101, Value: 'x', Description: 'kept' });
  });

  test('move to the larger tier and never back', async () => {
    const world = openSettings();
    await put(world, 'web', 'x');
    const grow = { Name: 'web', Value: 'x'.repeat(5000), Overwrite: true };
    expect(await world.store.call('PutParameter', { ...grow, Tier: 'Intelligent-Tiering' })).toEqual({
      Version: 2,
      Tier: 'Advanced',
    });
    expect(await world.store.refusal('PutParameter', { ...grow, Value: 'x', Tier: 'Standard' })).toMatch(
      /can't downgrade/,
    );
    expect(await world.store.call('PutParameter', { ...grow, Value: 'x' })).toEqual({ Version: 3, Tier: 'Advanced' });
  });
});

test('are made beside large ones, of which a page holds few', async () => {
  const world = openSettings();
  const list = world.records.list.bind(world.records);
  world.records.list = (partition, options) => list(partition, { ...options, limit: 1 }) as never;
  for (const name of ['one', 'two', 'three']) expect(await put(world, name, 'value')).toMatchObject({ Version: 1 });
  await world.manager.call('CreateSecret', { Name: 'one' });
  expect(await world.manager.call('CreateSecret', { Name: 'two' })).toMatchObject({ Name: 'two' });
});

test('several are read at once; unknown ones are named', async () => {
  const world = openSettings();
  await put(world, 'one', '1');
  await put(world, 'two', '2');
  const { Parameters, InvalidParameters } = await world.store.call('GetParameters', {
    Names: ['two', 'none', 'one:7', 'one'],
  });
  expect([Parameters.map(({ Value }: { Value: string }) => Value), InvalidParameters]).toEqual([
    ['2', '1'],
    ['none', 'one:7'],
  ]);
  expect(await world.store.call('DeleteParameters', { Names: ['one', 'none'] })).toEqual({
    DeletedParameters: ['one'],
    InvalidParameters: ['none'],
  });
  await world.store.call('DeleteParameter', { Name: 'two' });
  expect(await world.store.refusal('DeleteParameter', { Name: 'two' })).toBe(
    'ParameterNotFound: Parameter two not found.',
  );
  expect(await everyRecord(world)).not.toMatch(/"value\//);
});

test('those below a path are read page by page, and listed by filters', async () => {
  const world = openSettings();
  const { call, refusal } = world.store;
  for (let index = 10; index < 22; index++) await put(world, `/prod/web/p${index}`, String(index));
  await put(world, '/prod/deep/er/x', 'x', { Type: 'SecureString', Tags: [{ Key: 'team', Value: 'blue' }] });
  await put(world, '/prodigy', 'no');
  await put(world, 'plain', 'no');
  const names = (answer: { Parameters: readonly { Name: string }[] }) => answer.Parameters.map(({ Name }) => Name);
  const first = await call('GetParametersByPath', { Path: '/prod/web' });
  const second = await call('GetParametersByPath', { Path: '/prod/web', NextToken: first.NextToken });
  expect([first.Parameters.length, names(second), second.NextToken]).toEqual([
    10,
    ['/prod/web/p20', '/prod/web/p21'],
    undefined,
  ]);
  const by = async (input: object) => names(await call('GetParametersByPath', { Path: '/prod', ...input }));
  expect(await by({})).toEqual([]);
  const secure = [{ Key: 'Type', Values: ['SecureString'] }];
  expect(await by({ Recursive: true, ParameterFilters: secure })).toEqual(['/prod/deep/er/x']);
  expect(await by({ Path: '/' })).toEqual(['plain', '/prodigy']);
  expect(await refusal('GetParametersByPath', { Path: 'prod' })).toMatch(/^ValidationException: .*forward slash/);
  const described = async (Key: string, Values?: string[], Option?: string) =>
    names(await call('DescribeParameters', { ParameterFilters: [{ Key, Values, Option }] }));
  expect(await described('Name', ['plain'])).toEqual(['plain']);
  expect(await described('Name', ['/prod'], 'BeginsWith')).toHaveLength(14);
  expect(await described('Name', ['deep'], 'Contains')).toEqual(['/prod/deep/er/x']);
  expect(await described('Path', ['/prod/deep'], 'Recursive')).toEqual(['/prod/deep/er/x']);
  expect(await described('tag:team')).toEqual(['/prod/deep/er/x']);
  expect(await described('tag:team', ['red'])).toEqual([]);
  expect(names(await call('DescribeParameters', { Filters: [{ Key: 'Name', Values: ['pla'] }] }))).toEqual(['plain']);
  for (const [filter, why] of [
    [{ Key: 'Colour', Values: ['x'] }, /^InvalidFilterKey/],
    [{ Key: 'Type', Option: 'Contains', Values: ['x'] }, /^InvalidFilterOption/],
    [{ Key: 'Name' }, /^InvalidFilterValue/],
  ] as const)
    expect(await refusal('DescribeParameters', { ParameterFilters: [filter] })).toMatch(why);
  expect(await refusal('DescribeParameters', { NextToken: 'made up' })).toMatch(/^InvalidNextToken/);
});

describe('who may read', () => {
  test('is asked for every parameter with its tags, and for the secret behind a name', async () => {
    const world = openSettings();
    await put(world, '/web', 'x', { Tags: [{ Key: 'team', Value: 'blue' }] });
    expect(
      await world.store.access('GetParameters', {
        Names: ['/web:1', 'none', '/aws/reference/secretsmanager/db:AWSPREVIOUS'],
      }),
    ).toEqual([
      {
        action: 'ssm:GetParameters',
        resources: [
          { arn: arn('web'), tags: { team: 'blue' } },
          { arn: arn('none') },
          { arn: arn('aws/reference/secretsmanager/db') },
        ],
        context: {},
      },
      {
        action: 'secretsmanager:GetSecretValue',
        resources: [{ arn: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:db' }],
        context: {
          'secretsmanager:SecretId': 'arn:aws:secretsmanager:us-east-1:000000000000:secret:db',
          'secretsmanager:VersionStage': 'AWSPREVIOUS',
          'secretsmanager:VersionId': undefined,
        },
      },
    ]);
    const tagged = { Name: 'new', Value: 'x', Type: 'String', Tags: [{ Key: 'team', Value: 'red' }] };
    expect((await world.store.access('PutParameter', tagged)).map(({ action, context }) => [action, context])).toEqual([
      ['ssm:PutParameter', { 'ssm:Overwrite': 'false', 'aws:TagKeys': ['team'], 'aws:RequestTag/team': 'red' }],
      ['ssm:AddTagsToResource', { 'aws:TagKeys': ['team'], 'aws:RequestTag/team': 'red' }],
    ]);
  });

  test('reads the image of log routers: the public one, by the names and versions that there are', async () => {
    const world = openSettings();
    const name = (tag: string): object => ({ Name: `/aws/service/aws-for-fluent-bit/${tag}` });
    for (const tag of ['stable', 'latest', '2.32.5', 'init-latest', 'init-2.32.5']) {
      const { Parameter } = await world.store.call('GetParameter', name(tag));
      expect(Parameter).toMatchObject({
        Type: 'String',
        Value: `public.ecr.aws/aws-observability/aws-for-fluent-bit:${tag}`,
        ARN: `arn:aws:ssm:us-east-1::parameter/aws/service/aws-for-fluent-bit/${tag}`,
      });
    }
    for (const tag of ['', 'x', '2.32', 'init-', '2.32.5-rc', 'stable/x', '00000.1.1'])
      expect(await world.store.refusal('GetParameter', name(tag))).toMatch(/^(ParameterNotFound|ValidationException)/);
  });

  test('reads the image of hosts of ECS, under the names that templates read, and nothing else of AWS', async () => {
    const world = openSettings();
    const below = '/aws/service/ecs/optimized-ami';
    const read = async (name: string) =>
      (await world.store.call('GetParameter', { Name: `${below}/${name}` })).Parameter as {
        Value: string;
        ARN: string;
      };
    const { Value, ARN } = await read('amazon-linux-2/recommended');
    expect(JSON.parse(Value)).toMatchObject({
      os: 'Amazon Linux 2',
      image_id: expect.stringMatching(/^ami-[0-9a-f]{17}$/),
    });
    expect(ARN).toBe('arn:aws:ssm:us-east-1::parameter/aws/service/ecs/optimized-ami/amazon-linux-2/recommended');
    const { image_id: id } = JSON.parse(Value) as { image_id: string };
    expect((await read('amazon-linux-2/recommended/image_id')).Value).toBe(id);
    expect((await read('amazon-linux-2023/arm64/recommended/image_id')).Value).not.toBe(id);
    for (const name of [
      'windows/recommended',
      'amazon-linux-2',
      'amazon-linux-2/recommended/toString',
      '__proto__/recommended',
    ])
      expect(await world.store.refusal('GetParameter', { Name: `${below}/${name}` })).toMatch(/^ParameterNotFound/);
    expect(await world.store.refusal('PutParameter', { Name: `${below}/x`, Value: 'x', Type: 'String' })).toMatch(
      /^AccessDeniedException: No access to reserved parameter name/,
    );
  });

  test('reads secrets under the name that they have here', async () => {
    const world = openSettings();
    const Name = '/aws/reference/secretsmanager/prod/db';
    await world.manager.call('CreateSecret', {
      Name: 'prod/db',
      SecretString: 'one',
      ClientRequestToken: 'a'.repeat(32),
    });
    await world.manager.call('PutSecretValue', { SecretId: 'prod/db', SecretString: 'two' });
    const read = async (name: string) =>
      (await world.store.call('GetParameter', { Name: name, WithDecryption: true })).Parameter;
    expect(await read(Name)).toMatchObject({ Name, Type: 'SecureString', Value: 'two', Version: 0 });
    expect(await read(`${Name}:AWSPREVIOUS`)).toMatchObject({ Value: 'one', Selector: ':AWSPREVIOUS' });
    expect(JSON.parse((await read(`${Name}:${'a'.repeat(32)}`)).SourceResult)).toMatchObject({
      name: 'prod/db',
      versionStages: ['AWSPREVIOUS'],
    });
    expect(await world.store.refusal('GetParameter', { Name })).toMatch(
      /^ValidationException: WithDecryption flag must be True/,
    );
    const refusal = (name: string) => world.store.refusal('GetParameter', { Name: name, WithDecryption: true });
    expect(await refusal(`${Name}x`)).toMatch(/^ParameterNotFound/);
    expect(await refusal(`${Name}:NONE`)).toMatch(/^ParameterVersionNotFound/);
  });
});

test.each(['PutResourcePolicy', 'SendCommand'])('%s is refused by name', async (name) => {
  expect(await openSettings().store.refusal(name)).toMatch(
    new RegExp(`^ValidationException: ${name} is not supported by this installation. `),
  );
});

test('tags of anything else are refused', async () => {
  const { store } = openSettings();
  const list = (ResourceType: string) => store.refusal('ListTagsForResource', { ResourceType, ResourceId: 'x' });
  expect([await list('Document'), await list('Parameter')]).toEqual([
    expect.stringMatching(/^InvalidResourceType: /),
    expect.stringMatching(/^InvalidResourceId: /),
  ]);
});

test('an account has so many parameters, and whether one more may be is told without reading them', async () => {
  const world = openSettings();
  const keys = Array.from({ length: mostParameters - 1 }, (_, index) => parameterKeys.parameter(`/p${index}`));
  await fill(world.records, parametersPartition('000000000000'), keys);
  const seen = watchLists(world.records);
  await put(world, '/last', 'x');
  await expect(put(world, '/over', 'x')).rejects.toMatchObject({ code: 'ParameterLimitExceeded' });
  await put(world, '/last', 'y', { Overwrite: true });
  expect(seen.rows).toBe(0);
});
