import {
  ChangePasswordCommand,
  CreateAccessKeyCommand,
  CreateAccountAliasCommand,
  CreateLoginProfileCommand,
  CreateUserCommand,
  DeleteAccountAliasCommand,
  DeleteAccountPasswordPolicyCommand,
  DeleteLoginProfileCommand,
  DeleteUserCommand,
  GetAccountPasswordPolicyCommand,
  GetLoginProfileCommand,
  ListAccountAliasesCommand,
  PutUserPolicyCommand,
  UpdateAccountPasswordPolicyCommand,
  UpdateLoginProfileCommand,
  UpdateUserCommand,
} from '@aws-sdk/client-iam';
import { systemClock } from '@slipway/storage/clock';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { newAccessKeyId } from '../ids.ts';
import { Attempts, type SignInVerdict } from '../passwords/index.ts';
import { ACCOUNT, type Installation, type Key, openInstallation, OTHER_ACCOUNT } from '../testing/installation.ts';

/** What each derivation was to cost, and did not: the tests are about who may sign in. */
const costs = vi.hoisted((): unknown[] => []);
vi.mock('node:crypto', async (load) => {
  const real = await load<typeof import('node:crypto')>();
  const scrypt = (...[password, salt, size, options, done]: Parameters<typeof real.scrypt>): void => {
    costs.push(options);
    real.scrypt(password, salt, size, { ...options, N: 16 }, done);
  };
  return { ...real, scrypt };
});

let installation: Installation;
let addresses = 0;
beforeAll(async () => {
  installation = await openInstallation();
  // Checking a password takes long on a busy machine; waits are only over when a test says so.
  const { clock } = installation;
  const began = Date.now();
  clock.now = () => began + clock.offset;
});
afterAll(() => installation[Symbol.asyncDispose]());
afterEach(async () => {
  await installation
    .iam()
    .send(new DeleteAccountPasswordPolicyCommand({}))
    .catch(() => undefined);
});

const good = 'Correct-Horse-7';
const signIn = (user: string, password: string, change: object = {}): Promise<SignInVerdict> =>
  installation.identity.signIn({ account: ACCOUNT, user, password, sourceIp: `192.0.2.${++addresses}`, ...change });

async function userWith(UserName: string, Password = good): Promise<Key> {
  const iam = installation.iam();
  await iam.send(new CreateUserCommand({ UserName }));
  await iam.send(new CreateLoginProfileCommand({ UserName, Password }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
  return { accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' };
}

test('an alias is one of an account, of one account only, and names it for sign-in', async () => {
  const iam = installation.iam();
  const other = installation.iam(installation.otherAdmin);
  const aliases = async (client = iam) => (await client.send(new ListAccountAliasesCommand({}))).AccountAliases;
  const create = (AccountAlias: string, client = iam) => client.send(new CreateAccountAliasCommand({ AccountAlias }));
  expect(await aliases()).toEqual([]);
  await create('blue-team');
  await create('blue-team');
  await expect(create('blue-team', other)).rejects.toMatchObject({
    name: 'EntityAlreadyExistsException',
    message: 'The account alias blue-team already exists.',
  });
  await create('bluer-team');
  expect(await aliases()).toEqual(['bluer-team']);
  await create('blue-team', other);
  for (const bad of ['ab', 'Blue', 'a--b', '-ab', 'ab-', 'a_b', '123456789012', 'a'.repeat(64)])
    await expect(create(bad)).rejects.toMatchObject({ name: 'ValidationError' });

  await userWith('aliased');
  expect(await signIn('aliased', good, { account: 'bluer-team' })).toMatchObject({ outcome: 'accepted' });
  for (const account of ['blue-team', 'nobody', OTHER_ACCOUNT, '999999999999', ''])
    expect([account, await signIn('aliased', good, { account })]).toEqual([account, { outcome: 'refused' }]);

  await expect(iam.send(new DeleteAccountAliasCommand({ AccountAlias: 'blue-team' }))).rejects.toMatchObject({
    name: 'NoSuchEntityException',
  });
  await iam.send(new DeleteAccountAliasCommand({ AccountAlias: 'bluer-team' }));
  expect([await aliases(), await aliases(other)]).toEqual([[], ['blue-team']]);
  expect(await signIn('aliased', good, { account: 'bluer-team' })).toEqual({ outcome: 'refused' });
});

test('a password made again is a later one, though the clock went back: sessions of the one before stay ended', async () => {
  const iam = installation.iam();
  const { clock } = installation;
  await userWith('Again');
  const passwordSet = async (): Promise<number> => {
    const verdict = await signIn('Again', good);
    return (verdict.outcome === 'accepted' ? verdict.principal.console?.passwordSet : undefined) ?? Number.NaN;
  };
  const before = await passwordSet();
  await iam.send(new DeleteLoginProfileCommand({ UserName: 'Again' }));
  clock.offset -= 200_000;
  try {
    await iam.send(new CreateLoginProfileCommand({ UserName: 'Again', Password: good }));
    expect(await passwordSet()).toBeGreaterThan(before);
  } finally {
    clock.offset += 200_000;
  }
});

test('a login profile is made, read, changed and deleted; a user goes only without one', async () => {
  const iam = installation.iam();
  await userWith('Paula');
  const UserName = 'paula';
  const { LoginProfile } = await iam.send(new GetLoginProfileCommand({ UserName }));
  expect(LoginProfile).toEqual({ UserName: 'Paula', CreateDate: expect.any(Date), PasswordResetRequired: false });
  await expect(iam.send(new CreateLoginProfileCommand({ UserName, Password: good }))).rejects.toMatchObject({
    name: 'EntityAlreadyExistsException',
    message: 'Login Profile for User Paula already exists.',
  });
  expect(await signIn('PAULA', good)).toEqual({
    outcome: 'accepted',
    principal: {
      type: 'user',
      account: ACCOUNT,
      arn: `arn:aws:iam::${ACCOUNT}:user/Paula`,
      id: expect.any(String),
      console: { since: expect.any(Number), passwordSet: expect.any(Number) },
    },
    mustChange: false,
  });
  expect(await signIn('Paula', `${good} `)).toEqual({ outcome: 'refused' });

  await iam.send(new UpdateLoginProfileCommand({ UserName, PasswordResetRequired: true }));
  expect(await signIn('Paula', good)).toMatchObject({ outcome: 'accepted', mustChange: true });
  await iam.send(
    new UpdateLoginProfileCommand({ UserName, Password: 'Another-Horse-8', PasswordResetRequired: false }),
  );
  expect(await signIn('Paula', good)).toEqual({ outcome: 'refused' });
  await iam.send(new UpdateUserCommand({ UserName, NewUserName: 'Pauline' }));
  expect(await signIn('Pauline', 'Another-Horse-8')).toMatchObject({ outcome: 'accepted', mustChange: false });

  await iam.send(new CreateUserCommand({ UserName: 'plain' }));
  await expect(iam.send(new DeleteUserCommand({ UserName: 'plain' }))).resolves.toBeDefined();
  await expect(iam.send(new GetLoginProfileCommand({ UserName: 'Paula' }))).rejects.toMatchObject({
    name: 'NoSuchEntityException',
  });
  await expect(iam.send(new DeleteUserCommand({ UserName: 'Pauline' }))).rejects.toMatchObject({
    name: 'DeleteConflictException',
  });
  await iam.send(new DeleteLoginProfileCommand({ UserName: 'Pauline' }));
  expect(await signIn('Pauline', 'Another-Horse-8')).toEqual({ outcome: 'refused' });
  for (const command of [
    new GetLoginProfileCommand({ UserName: 'Pauline' }),
    new DeleteLoginProfileCommand({ UserName: 'Pauline' }),
  ])
    await expect(iam.send(command as GetLoginProfileCommand)).rejects.toMatchObject({
      message: 'Login Profile for User Pauline cannot be found.',
    });
});

test('no password is stored as it is, nor as a hash that can be guessed at without the encryption key', async () => {
  await userWith('secret', 'Sesame-Open-99');
  const rows = await installation.records.list(`iam/${ACCOUNT}`, { prefix: 'login/', limit: 100 });
  const text = JSON.stringify(rows.records);
  expect(rows.records.length).toBeGreaterThan(0);
  expect(text).not.toMatch(/Sesame|salt|hashes/);
});

test('every guess costs 32 MiB and as long as OWASP asks for', async () => {
  costs.length = 0;
  await userWith('costly');
  await signIn('costly', good);
  await signIn('nobody-of-that-name', good);
  expect(costs).toHaveLength(3);
  for (const cost of costs) expect(cost).toMatchObject({ N: 2 ** 15, r: 8, p: 3 });
});

test('the password policy is kept whole, has limits, and is enforced on every new password', async () => {
  const iam = installation.iam();
  const none = {
    name: 'NoSuchEntityException',
    message: `The Password Policy with domain name ${ACCOUNT} cannot be found.`,
  };
  await expect(iam.send(new GetAccountPasswordPolicyCommand({}))).rejects.toMatchObject(none);
  await iam.send(new UpdateAccountPasswordPolicyCommand({}));
  const read = async () => (await iam.send(new GetAccountPasswordPolicyCommand({}))).PasswordPolicy;
  expect(await read()).toEqual({
    MinimumPasswordLength: 6,
    RequireSymbols: false,
    RequireNumbers: false,
    RequireUppercaseCharacters: false,
    RequireLowercaseCharacters: false,
    AllowUsersToChangePassword: false,
    ExpirePasswords: false,
    HardExpiry: false,
  });
  for (const bad of [
    { MinimumPasswordLength: 5 },
    { MinimumPasswordLength: 129 },
    { MaxPasswordAge: 0 },
    { MaxPasswordAge: 1096 },
    { PasswordReusePrevention: 25 },
  ])
    await expect(iam.send(new UpdateAccountPasswordPolicyCommand(bad))).rejects.toMatchObject({
      name: 'ValidationError',
    });
  await iam.send(
    new UpdateAccountPasswordPolicyCommand({
      MinimumPasswordLength: 10,
      RequireSymbols: true,
      RequireNumbers: true,
      RequireUppercaseCharacters: true,
      RequireLowercaseCharacters: true,
      MaxPasswordAge: 90,
    }),
  );
  expect(await read()).toMatchObject({ ExpirePasswords: true, MaxPasswordAge: 90 });
  await iam.send(new CreateUserCommand({ UserName: 'strict' }));
  const set = (Password: string) => iam.send(new CreateLoginProfileCommand({ UserName: 'strict', Password }));
  for (const [password, why] of [
    ['Aa1-aaaaa', /minimum length of 10/],
    ['aa1-aaaaaaa', /uppercase/],
    ['AA1-AAAAAAA', /lowercase/],
    ['Aaa-aaaaaaa', /number/],
    ['Aaa1aaaaaaa', /symbol/],
  ] as const)
    await expect(set(password)).rejects.toMatchObject({
      name: 'PasswordPolicyViolationException',
      message: expect.stringMatching(why),
    });
  await set('Aa1-aaaaaaa');
  await iam.send(new DeleteAccountPasswordPolicyCommand({}));
  await expect(iam.send(new DeleteAccountPasswordPolicyCommand({}))).rejects.toMatchObject({
    name: 'NoSuchEntityException',
  });
  // Without a policy IAM's default holds.
  for (const password of ['Aa1-aaa', 'aaaaaaaaaa', 'aaaaaaaa11'])
    await expect(
      iam.send(new UpdateLoginProfileCommand({ UserName: 'strict', Password: password })),
    ).rejects.toMatchObject({ name: 'PasswordPolicyViolationException' });
});

test('a user changes its own password, where it may: with the old one, and to none of the last', async () => {
  const iam = installation.iam();
  const key = await userWith('self');
  const change = (OldPassword: string, NewPassword: string) =>
    installation.iam(key).send(new ChangePasswordCommand({ OldPassword, NewPassword }));
  await expect(change(good, 'Second-Horse-2')).rejects.toMatchObject({ name: 'AccessDenied' });
  await iam.send(
    new UpdateAccountPasswordPolicyCommand({ AllowUsersToChangePassword: true, PasswordReusePrevention: 2 }),
  );
  await expect(installation.iam(key).send(new GetAccountPasswordPolicyCommand({}))).resolves.toBeDefined();
  await expect(change('wrong', 'Second-Horse-2')).rejects.toThrow('The old password was incorrect.');
  await expect(change(good, good)).rejects.toMatchObject({ name: 'PasswordPolicyViolationException' });
  await iam.send(new UpdateLoginProfileCommand({ UserName: 'self', PasswordResetRequired: true }));
  await change(good, 'Second-Horse-2');
  expect(await signIn('self', 'Second-Horse-2')).toMatchObject({ outcome: 'accepted', mustChange: false });
  expect(await signIn('self', good)).toEqual({ outcome: 'refused' });
  await expect(change('Second-Horse-2', good)).rejects.toThrow('last 2 passwords');
  await change('Second-Horse-2', 'Third-Horse-3');
  await change('Third-Horse-3', good);
  // A Deny still counts, and so does who is asking.
  const PolicyDocument = JSON.stringify({
    Version: '2012-10-17',
    Statement: { Effect: 'Deny', Action: 'iam:ChangePassword', Resource: '*' },
  });
  await iam.send(new PutUserPolicyCommand({ UserName: 'self', PolicyName: 'no', PolicyDocument }));
  await expect(change(good, 'Fourth-Horse-4')).rejects.toMatchObject({ name: 'AccessDenied' });
  await expect(iam.send(new ChangePasswordCommand({ OldPassword: 'a', NewPassword: 'b' }))).rejects.toMatchObject({
    name: 'NoSuchEntityException',
  });
});

test('passwords run out, and with a hard expiry an administrator must set another', async () => {
  const iam = installation.iam();
  await userWith('aging');
  await iam.send(new UpdateAccountPasswordPolicyCommand({ MaxPasswordAge: 10 }));
  expect(await signIn('aging', good)).toMatchObject({ mustChange: false });
  const { clock } = installation;
  clock.offset = 11 * 86_400_000;
  const later = installation.otherServer();
  const attempt = { account: ACCOUNT, user: 'aging', password: good, sourceIp: '203.0.113.1' };
  expect(await later.signIn(attempt)).toMatchObject({ outcome: 'accepted', mustChange: true });
  clock.offset = 0;
  await iam.send(new UpdateAccountPasswordPolicyCommand({ MaxPasswordAge: 10, HardExpiry: true }));
  clock.offset = 11 * 86_400_000;
  expect(await later.signIn(attempt)).toEqual({ outcome: 'expired' });
  expect(await later.signIn({ ...attempt, password: 'wrong' })).toEqual({ outcome: 'refused' });
  clock.offset = 0;
});

test('A4: wrong passwords make a user wait, longer each time, on every server; a right one in time clears the count', async () => {
  await userWith('guessed');
  const { clock } = installation;
  for (let guess = 1; guess <= 4; guess++) expect(await signIn('guessed', 'wrong')).toEqual({ outcome: 'refused' });
  expect(await signIn('guessed', good)).toMatchObject({ outcome: 'accepted' });
  for (let guess = 1; guess <= 5; guess++) expect(await signIn('guessed', 'wrong')).toEqual({ outcome: 'refused' });
  const wait = await signIn('guessed', good);
  expect(wait).toEqual({ outcome: 'wait', milliseconds: expect.any(Number) });
  const elsewhere = { account: ACCOUNT, user: 'GUESSED', password: good, sourceIp: '203.0.113.9' };
  expect(await installation.otherServer().signIn(elsewhere)).toMatchObject({ outcome: 'wait' });
  clock.offset += 2100;
  expect(await signIn('guessed', 'wrong')).toEqual({ outcome: 'refused' });
  clock.offset += 2100;
  expect(await signIn('guessed', good)).toMatchObject({ outcome: 'wait' });
  clock.offset += 900_000;
  expect(await signIn('guessed', good)).toMatchObject({ outcome: 'accepted' });
  clock.offset = 0;
});

test('A4: many guesses at the same time are as many guesses', async () => {
  await userWith('raced');
  const verdicts = await Promise.all(Array.from({ length: 12 }, () => signIn('raced', 'wrong')));
  expect(verdicts.filter(({ outcome }) => outcome === 'refused')).toHaveLength(5);
  expect(verdicts.filter(({ outcome }) => outcome === 'wait')).toHaveLength(7);
});

test('A4: names that nobody has are answered as others are', async () => {
  const before = (await installation.records.list(`iam-signins/${ACCOUNT}`, { limit: 100 })).records.length;
  const outcomes: string[] = [];
  for (let guess = 1; guess <= 6; guess++) outcomes.push((await signIn('ghost', 'wrong')).outcome);
  expect(outcomes).toEqual(['refused', 'refused', 'refused', 'refused', 'refused', 'wait']);
  expect((await installation.records.list(`iam-signins/${ACCOUNT}`, { limit: 100 })).records).toHaveLength(before);
});

test('A4: an address has thirty attempts, whoever they are for, and one more every ten seconds', () => {
  let now = 0;
  const clock = { ...systemClock, monotonic: () => now };
  const attempts = new Attempts({ clock } as ConstructorParameters<typeof Attempts>[0]);
  const take = (address: string): number => attempts.fromAddress(address);
  expect(Array.from({ length: 30 }, () => take('198.51.100.7'))).toEqual(Array.from({ length: 30 }, () => 0));
  expect([take('198.51.100.7'), take('198.51.100.8')]).toEqual([10_000, 0]);
  now += 10_000;
  expect([take('198.51.100.7'), take('198.51.100.7')]).toEqual([0, 10_000]);
});

test('keys of accounts that do not exist cost nothing that stays', async () => {
  const { records } = installation;
  const names = async () => (await records.partitions({ prefix: 'iam', limit: 1000 })).names.length;
  const before = await names();
  const follows = vi.spyOn(records, 'follow');
  for (let account = 1; account <= 5; account++)
    expect(await installation.identity.credentials.find(keyOf(account), undefined)).toEqual({ refused: 'unknown' });
  expect(follows).not.toHaveBeenCalled();
  expect(await names()).toBe(before);
});

/** A well-formed access key id of an account. */
function keyOf(account: number): string {
  return newAccessKeyId('AKIA', String(account).padStart(12, '0'), () => Buffer.alloc(10));
}
