import { randomBytes } from 'node:crypto';
import { AwsError, type Principal } from '@slipway/auth/contract';
import { beforeEach, describe, expect, test } from 'vitest';

import type { SecretNeed } from '../../hosts/control/index.ts';
import type { ReadFile } from '../../objects/index.ts';
import { openSettings } from '../testing/open-settings.ts';
import { createTaskSecrets } from './task-secrets.ts';

const account = '000000000000';
const role: Principal = {
  type: 'assumed-role',
  account,
  arn: `arn:aws:sts::${account}:assumed-role/execution/task`,
  id: 'AROAX:task',
};
const need = (valueFrom: string, more: Partial<SecretNeed> = {}): SecretNeed => ({
  container: 'web',
  kind: 'environment',
  name: 'VALUE',
  valueFrom,
  ...more,
});
const canary = 'canary-2f77';

/** Files by bucket and key. */
const stored: Record<string, string> = { 'shop/a.env': 'A=1\nB=2\nTAKEN=file', 'shop/deep/b.env': 'B=3\nC=4' };
const files: ReadFile = (_call, { bucket, key }) => {
  const text = stored[`${bucket}/${key}`];
  return text === undefined
    ? Promise.reject(new AwsError('NoSuchKey', 'The specified key does not exist.', { status: 404 }))
    : Promise.resolve(text);
};

describe('what a task needs', () => {
  let world: ReturnType<typeof openSettings>;
  let arn: string;
  let read: (...needs: SecretNeed[]) => ReturnType<ReturnType<typeof createTaskSecrets>>;
  beforeEach(async () => {
    world = openSettings();
    const { clock, secrets, parameters, authorizer } = world;
    read = (...needs) =>
      createTaskSecrets({ clock, random: randomBytes, region: 'us-east-1', secrets, parameters, authorizer, files })(
        role,
        needs,
      );
    const json = JSON.stringify({ user: 'ada', port: 5432, tls: { on: true }, password: canary });
    ({ ARN: arn } = await world.manager.call('CreateSecret', {
      Name: 'db',
      SecretString: 'old',
      ClientRequestToken: 'a'.repeat(32),
    }));
    await world.manager.call('PutSecretValue', { SecretId: 'db', SecretString: json });
    await world.store.call('PutParameter', { Name: '/web/mode', Value: 'fast', Type: 'String' });
    await world.store.call('PutParameter', { Name: 'key', Value: 'secure', Type: 'SecureString' });
  });
  const refusal = (...needs: SecretNeed[]): Promise<string> =>
    read(...needs).then(
      () => 'not refused',
      (error: Error) => `${error.name}: ${error.message}`,
    );

  test('is in files, of which the first that has a variable gives it, unless the container has it otherwise', async () => {
    const file = (key: string): SecretNeed =>
      need(`arn:aws:s3:::shop/${key}`, { kind: 'file', name: '', taken: ['TAKEN', 'KEY'] });
    expect(await read(file('a.env'), file('deep/b.env'), need('key', { name: 'KEY' }))).toEqual({
      web: { environment: { A: '1', B: '2', C: '4', KEY: 'secure' }, logOptions: {} },
    });
    expect(await refusal(file('none.env'), file('a.env'))).toBe(
      'TaskSecretsRefused: ResourceInitializationError: failed to download env files: arn:aws:s3:::shop/none.env: NoSuchKey: The specified key does not exist.',
    );
  });

  test("is a log router's configuration, whole", async () => {
    const router = (key: string): SecretNeed => need(`arn:aws:s3:::shop/${key}`, { kind: 'router', name: '' });
    expect(await read(router('deep/b.env'))).toEqual({
      web: { environment: {}, logOptions: {}, routerConfiguration: 'B=3\nC=4' },
    });
    expect(await refusal(router('none.conf'))).toBe(
      'TaskSecretsRefused: ResourceInitializationError: failed to download the configuration of the log router: arn:aws:s3:::shop/none.conf: NoSuchKey: The specified key does not exist.',
    );
  });

  test('is read whole, by JSON key, by label and by version, and from parameters by name and ARN', async () => {
    const variables = Object.entries({
      WHOLE: `${arn}::AWSPREVIOUS:`,
      VERSION: `${arn}:::${'a'.repeat(32)}`,
      USER: `${arn}:user::`,
      PORT: `${arn.slice(0, -7)}:port:AWSCURRENT:`,
      TLS: `${arn}:tls::`,
      MODE: '/web/mode',
      AGAIN: 'arn:aws:ssm:us-east-1:000000000000:parameter/web/mode',
      KEY: 'key',
    });
    const values = await read(
      ...variables.map(([name, valueFrom]) => need(valueFrom, { name })),
      need('key', { container: 'side', kind: 'log', name: 'splunk-token' }),
    );
    expect(values).toEqual({
      web: {
        environment: {
          WHOLE: 'old',
          VERSION: 'old',
          USER: 'ada',
          PORT: '5432',
          TLS: '{"on":true}',
          MODE: 'fast',
          AGAIN: 'fast',
          KEY: 'secure',
        },
        logOptions: {},
      },
      side: { environment: {}, logOptions: { 'splunk-token': 'secure' } },
    });
  });

  test('has names as members of every object have them, and stays in what is read', async () => {
    const login = { username: 'ada', password: 'pass' };
    const hub = await world.manager.call('CreateSecret', { Name: 'hub', SecretString: JSON.stringify(login) });
    const names = ['__proto__', 'constructor', 'toString'];
    const values = await read(
      ...names.flatMap((container) => [
        ...names.map((name) => need('/web/mode', { container, name })),
        need(hub.ARN, { container, kind: 'registry', name: '' }),
      ]),
    );
    expect(Object.entries(values).map(([name, { environment }]) => [name, Object.keys(environment)])).toEqual(
      names.map((name) => [name, names]),
    );
    expect(Object.values(values).map(({ registry }) => registry)).toEqual(names.map(() => login));
    expect(['registry' in {}, 'registry' in Object]).toEqual([false, false]);
  });

  test('is of one reading of a secret, whose members belong together', async () => {
    const get = world.records.get.bind(world.records);
    const keys: string[] = [];
    world.records.get = (partition, key) => {
      keys.push(key);
      return get(partition, key) as never;
    };
    const members = ['user', 'password', 'port'].map((key) => need(`${arn}:${key}::`, { name: key }));
    expect((await read(...members))['web']?.environment).toEqual({ user: 'ada', password: canary, port: '5432' });
    expect(keys.filter((key) => key.startsWith('value/'))).toHaveLength(1);
  });

  test('of a registry is a user and a password, or the image cannot be pulled', async () => {
    const login = { username: 'ada', password: 'pass' };
    const hub = await world.manager.call('CreateSecret', { Name: 'hub', SecretString: JSON.stringify(login) });
    const values = await read(need(hub.ARN, { kind: 'registry', name: '' }));
    expect(values['web']?.registry).toEqual(login);
    const why = await refusal(need(arn, { kind: 'registry', name: '' }));
    expect(why).toMatch(
      /^TaskSecretsRefused: CannotPullContainerError: unable to unmarshal secret value, invalid schema/,
    );
    expect(why).not.toContain(canary);
  });

  test('and is not there is said in the words of ECS, every reason at once', async () => {
    const none = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:none-AbCdEf';
    expect(await refusal(need(none), need('/none'), need('key'), need('other:7'))).toBe(
      'TaskSecretsRefused: ResourceInitializationError: ' +
        'fetching secret data from SSM Parameter Store in us-east-1: invalid parameters: /none,other:7;' +
        `ResourceNotFoundException: The task can't retrieve the secret with ARN '${none}' from AWS Secrets Manager. Check whether the secret exists in the specified Region`,
    );
  });

  test.each<[string, (of: string) => string, RegExp]>([
    ['no such key', (of) => `${of}:none::`, /did not contain json key none$/],
    ['no such label', (of) => `${of}::NONE:`, /secret arn:\S+: ResourceNotFoundException: .* staging label: NONE$/],
    [
      'a label that is not its version',
      (of) => `${of}::AWSCURRENT:${'a'.repeat(32)}`,
      /InvalidRequestException: .*not associated/,
    ],
    ['half a selector', (of) => `${of}:user`, /an invalid ARN format for the AWS Secrets Manager secret was specified/],
    ['no JSON in that version', (of) => `${of}:user:AWSPREVIOUS:`, /the value is no JSON object/],
    [
      'another account',
      (of) => of.replace(account, '111111111111'),
      /ResourceNotFoundException: The task can't retrieve/,
    ],
    [
      'another region',
      (of) => of.replace('us-east-1', 'eu-west-1'),
      /ResourceNotFoundException: The task can't retrieve/,
    ],
  ])('with %s is refused', async (_, valueFrom, why) => {
    const message = await refusal(need(valueFrom(arn)));
    expect(message).toMatch(/^TaskSecretsRefused: ResourceInitializationError: /);
    expect(message).toMatch(why);
    expect(message).not.toContain(canary);
  });

  test('and may not be read by the execution role is refused, and says by whom and what', async () => {
    world.refused.add(arn);
    world.refused.add('arn:aws:ssm:us-east-1:000000000000:parameter/key');
    const message = await refusal(need(arn), need('key'));
    expect(message).toContain(
      `AccessDeniedException: User: ${role.arn} is not authorized to perform: secretsmanager:GetSecretValue on resource: ${arn} because the test says so`,
    );
    expect(message).toContain(
      `AccessDeniedException: User: ${role.arn} is not authorized to perform: ssm:GetParameters`,
    );
  });

  test('and is being deleted, binary, or too much is refused', async () => {
    await world.manager.call('DeleteSecret', { SecretId: 'db' });
    expect(await refusal(need(arn))).toMatch(/InvalidRequestException: .*marked for deletion/);
    const bytes = await world.manager.call('CreateSecret', { Name: 'bytes', SecretBinary: 'AAEC' });
    expect(await refusal(need(bytes.ARN))).toMatch(/it is binary/);
    const large = await world.manager.call('CreateSecret', { Name: 'large', SecretString: 'x'.repeat(65_000) });
    const many = ['A', 'B', 'C', 'D', 'E'].map((name) => need(large.ARN, { name }));
    expect(await refusal(...many)).toMatch(/at most 262144\.$/);
    // A character that JSON escapes is six times as long in what is sent.
    const escaped = await world.manager.call('CreateSecret', { Name: 'esc', SecretString: '\u0001'.repeat(50_000) });
    expect(await refusal(need(escaped.ARN))).toMatch(/at most 262144\.$/);
  });

  test('and the store cannot say now is asked for again later', async () => {
    world.records.get = () => Promise.reject(new Error('the store is away'));
    expect(await refusal(need(arn))).toBe('Error: the store is away');
  });
});
