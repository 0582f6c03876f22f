import {
  AddClientIDToOpenIDConnectProviderCommand,
  CreateOpenIDConnectProviderCommand,
  DeleteOpenIDConnectProviderCommand,
  GetOpenIDConnectProviderCommand,
  ListOpenIDConnectProvidersCommand,
  RemoveClientIDFromOpenIDConnectProviderCommand,
  UpdateOpenIDConnectProviderThumbprintCommand,
} from '@aws-sdk/client-iam';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ACCOUNT, type Installation, openInstallation, OTHER_ACCOUNT } from '../testing/installation.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await openInstallation();
});
afterAll(() => installation[Symbol.asyncDispose]());

const arnOf = (url: string, account = ACCOUNT): string => `arn:aws:iam::${account}:oidc-provider/${url}`;

test('a provider is made once, read, changed and listed; client ids are added and taken away as often as one likes', async () => {
  const iam = installation.iam();
  const create = (Url: string) =>
    iam.send(new CreateOpenIDConnectProviderCommand({ Url, ClientIDList: ['one', 'one'], ThumbprintList: [] }));
  const OpenIDConnectProviderArn = arnOf('ci.example/org');
  expect(await create('https://ci.example/org/')).toMatchObject({ OpenIDConnectProviderArn });
  await expect(create('https://ci.example/org')).rejects.toMatchObject({ name: 'EntityAlreadyExistsException' });
  for (const url of ['http://ci.example', 'ci.example', 'https://ci.example/?a', 'https://a:b@ci.example'])
    await expect(create(url)).rejects.toMatchObject({ name: 'ValidationError' });

  const ThumbprintList = ['a'.repeat(40)];
  for (const command of [
    new AddClientIDToOpenIDConnectProviderCommand({ OpenIDConnectProviderArn, ClientID: 'two' }),
    new AddClientIDToOpenIDConnectProviderCommand({ OpenIDConnectProviderArn, ClientID: 'two' }),
    new RemoveClientIDFromOpenIDConnectProviderCommand({ OpenIDConnectProviderArn, ClientID: 'one' }),
    new RemoveClientIDFromOpenIDConnectProviderCommand({ OpenIDConnectProviderArn, ClientID: 'one' }),
    new UpdateOpenIDConnectProviderThumbprintCommand({ OpenIDConnectProviderArn, ThumbprintList }),
  ])
    await iam.send(command as AddClientIDToOpenIDConnectProviderCommand);
  expect(await iam.send(new GetOpenIDConnectProviderCommand({ OpenIDConnectProviderArn }))).toMatchObject({
    Url: 'ci.example/org',
    ClientIDList: ['two'],
    ThumbprintList,
    Tags: [],
  });
  const listed = await iam.send(new ListOpenIDConnectProvidersCommand({}));
  expect(listed.OpenIDConnectProviderList).toEqual([{ Arn: OpenIDConnectProviderArn }]);
});

test('deleting a provider that does not exist, or no longer, is no failure; every other call of it is', async () => {
  const iam = installation.iam();
  const OpenIDConnectProviderArn = arnOf('gone.example');
  const remove = (arn: string) =>
    iam.send(new DeleteOpenIDConnectProviderCommand({ OpenIDConnectProviderArn: arn })).then(() => 'deleted');
  expect(await remove(OpenIDConnectProviderArn)).toBe('deleted');
  await iam.send(new CreateOpenIDConnectProviderCommand({ Url: 'https://gone.example' }));
  expect([await remove(OpenIDConnectProviderArn), await remove(OpenIDConnectProviderArn)]).toEqual([
    'deleted',
    'deleted',
  ]);
  for (const command of [
    new GetOpenIDConnectProviderCommand({ OpenIDConnectProviderArn }),
    new AddClientIDToOpenIDConnectProviderCommand({ OpenIDConnectProviderArn, ClientID: 'one' }),
    new RemoveClientIDFromOpenIDConnectProviderCommand({ OpenIDConnectProviderArn, ClientID: 'one' }),
    new UpdateOpenIDConnectProviderThumbprintCommand({ OpenIDConnectProviderArn, ThumbprintList: ['a'.repeat(40)] }),
  ])
    await expect(iam.send(command as GetOpenIDConnectProviderCommand)).rejects.toMatchObject({
      name: 'NoSuchEntityException',
    });
});

test('what is no ARN of a provider of the account is refused, and the provider of another account stays', async () => {
  const theirs = installation.iam(installation.otherAdmin);
  await theirs.send(new CreateOpenIDConnectProviderCommand({ Url: 'https://theirs.example' }));
  for (const arn of [arnOf('theirs.example', OTHER_ACCOUNT), `arn:aws:iam::${ACCOUNT}:role/theirs.example`, arnOf('')])
    await expect(
      installation.iam().send(new DeleteOpenIDConnectProviderCommand({ OpenIDConnectProviderArn: arn })),
    ).rejects.toMatchObject({ name: expect.stringMatching(/^(ValidationError|AccessDenied)/) });
  const { OpenIDConnectProviderList } = await theirs.send(new ListOpenIDConnectProvidersCommand({}));
  expect(OpenIDConnectProviderList).toEqual([{ Arn: arnOf('theirs.example', OTHER_ACCOUNT) }]);
});
