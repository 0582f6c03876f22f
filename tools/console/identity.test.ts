import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accessibilityProblems, missingBrowser, openBrowser } from '../testbed/browser.ts';
import { at, clusterOf, hostile } from './testing/made-up.ts';
import { type Answers, Failed, Refused, StandIn } from './testing/stand-in.ts';

const missing = missingBrowser();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const pictures = process.env['SLIPWAY_TEST_PICTURES'] ?? join(tmpdir(), 'slipway-console-pictures');
mkdirSync(pictures, { recursive: true });

const id = '0b9c6f0e-8f1c-4a54-9f43-1f0a3a0d6f0b';
const arn = 'arn:aws:iam::000000000000:policy/deploy';
const text = (action: string): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: action, Resource: '*' }] });
const document = encodeURIComponent(text('ecs:*'));

/** The server finds what is wrong in a document with "wrong" in it. */
const read = (policy: string): Failed | undefined =>
  policy.includes('wrong')
    ? new Failed(
        'MalformedPolicyDocumentException',
        `Vendor ${hostile} is not valid (Statement[0].Action, line 6, column 17)`,
      )
    : undefined;

const usual: Answers = {
  ...clusterOf([]),
  ListUsers: () => ({ Users: [{ UserName: 'ci', Arn: 'arn:aws:iam::000000000000:user/ci', CreateDate: at }] }),
  ListRoles: () => ({ Roles: [{ RoleName: 'job', Arn: 'arn:aws:iam::000000000000:role/job', CreateDate: at }] }),
  ListGroups: () => ({ Groups: [] }),
  ListPolicies: ({ Scope }: { readonly Scope?: string }) => ({
    Policies: [
      { PolicyName: 'deploy', Arn: arn, DefaultVersionId: 'v2', AttachmentCount: 1, UpdateDate: at },
      ...(Scope === 'Local'
        ? []
        : [{ PolicyName: 'ReadOnlyAccess', Arn: 'arn:aws:iam::aws:policy/ReadOnlyAccess', DefaultVersionId: 'v1' }]),
    ],
  }),
  GetPolicy: () => ({ Policy: { PolicyName: 'deploy', Arn: arn, DefaultVersionId: 'v2' } }),
  GetPolicyVersion: () => ({ PolicyVersion: { Document: document } }),
  ListPolicyVersions: () => ({
    Versions: [
      { VersionId: 'v2', IsDefaultVersion: true, CreateDate: at },
      { VersionId: 'v1', IsDefaultVersion: false, CreateDate: at - 60 },
    ],
  }),
  ListEntitiesForPolicy: () => ({ PolicyUsers: [{ UserName: 'ci' }], PolicyRoles: [], PolicyGroups: [] }),
  ListAttachedUserPolicies: () => ({ AttachedPolicies: [{ PolicyName: 'deploy', PolicyArn: arn }] }),
  ListUserPolicies: () => ({ PolicyNames: ['own'] }),
  GetUserPolicy: () => ({ PolicyDocument: document }),
  ListAccessKeys: () => ({ AccessKeyMetadata: [] }),
  ListAttachedRolePolicies: () => ({ AttachedPolicies: [] }),
  ListRolePolicies: () => ({ PolicyNames: [] }),
  GetRole: () => ({ Role: { AssumeRolePolicyDocument: document } }),
  [`GET /slipway/denials/${id}`]: () => ({
    requestId: id,
    time: new Date(at * 1000).toISOString(),
    service: 'ecr',
    operation: 'CreateRepository',
    principal: 'arn:aws:iam::000000000000:user/ci',
    sourceIp: '10.0.0.7',
    action: 'ecr:CreateRepository',
    resources: ['web'],
    resourcesLeftOut: 2,
    reason: `an explicit deny ${hostile}`,
    explanations: [
      {
        resource: `arn:aws:ecr:us-east-1:000000000000:repository/${hostile}`,
        outcome: 'explicitDeny',
        reason: 'an explicit deny',
        decidedBy: { policy: 'inline:own', statement: hostile },
        considered: [
          { layer: 'identity', policy: 'inline:own' },
          { layer: 'identity', policy: arn },
        ],
        statements: [
          { layer: 'identity', policy: 'inline:own', statement: hostile, effect: 'Deny', matched: true },
          {
            layer: 'identity',
            policy: arn,
            statement: '0',
            effect: 'Allow',
            matched: false,
            because: `its condition on aws:SourceIp does not hold ${hostile}`,
          },
        ],
        missingKeys: ['aws:ResourceTag/team'],
      },
    ],
  }),
};

/** Everything may be changed; what is put is checked as the server does it. */
const changing = [
  'CreatePolicy',
  'CreatePolicyVersion',
  'SetDefaultPolicyVersion',
  'DeletePolicyVersion',
  'AttachUserPolicy',
  'DetachUserPolicy',
  'PutUserPolicy',
  'DeleteUserPolicy',
  'UpdateAssumeRolePolicy',
];
const allowed: Answers = {
  ...Object.fromEntries(changing.map((name) => [`${name}?`, () => ({ allowed: true })])),
  SimulateCustomPolicy: ({ PolicyInputList: [policy = ''] = [] }: { readonly PolicyInputList?: readonly string[] }) =>
    read(policy) ?? { EvaluationResults: [] },
};

describe.skipIf(missing !== undefined)('identity in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  test('a policy is read by the server while it is written: what is wrong is told with its line, and not put in place', async () => {
    const made: unknown[] = [];
    await using standIn = await StandIn.open({
      ...usual,
      ...allowed,
      CreatePolicyVersion: (input: object) => {
        made.push(input);
        return {};
      },
    });
    const { page, context, offences } = await standIn.page(browser);
    await page.goto(`${standIn.url}/console/#/identity`);
    await page.getByRole('table', { name: 'Policies of this account' }).getByRole('link', { name: 'deploy' }).click();
    const editor = page.getByRole('textbox', { name: 'Version v2, which counts' });
    const save = page.getByRole('button', { name: 'Save as the new version' });
    await save.waitFor();
    expect(await save.isDisabled()).toBe(true);
    const wrong = JSON.stringify(JSON.parse(text('wrong:*')), undefined, 2);
    await editor.fill(wrong);
    await page.getByText('line 6, column 17').waitFor();
    await page.getByText('Vendor <img src=x').waitFor();
    expect(await editor.getAttribute('aria-invalid')).toBe('true');
    expect(await page.locator('.gutter .wrong').textContent()).toBe('6\n');
    expect(await save.isDisabled()).toBe(true);
    expect(await page.locator('main :is(img, script, iframe)').count()).toBe(0);
    await page.getByRole('button', { name: 'Go to line 6' }).press('Enter');
    const selected =
      'document.activeElement.value.slice(document.activeElement.selectionStart, document.activeElement.selectionEnd)';
    expect(await page.evaluate(selected)).toBe('      "Action": "wrong:*",');
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.screenshot({ path: join(pictures, 'policy-wrong-light.png'), fullPage: true });
    await editor.fill(text('ecs:List*'));
    await page.getByText('It is a valid policy').waitFor();
    await save.press('Enter');
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Save as the new version' }).press('Enter');
    await dialog.waitFor({ state: 'detached' });
    expect(made).toEqual([{ PolicyArn: arn, PolicyDocument: text('ecs:List*'), SetAsDefault: true }]);
    expect(offences.found).toEqual([]);
    await context.close();
  });

  test('what only the server finds when it is put in place stands at its line, too; a new policy leads to its page', async () => {
    const created: unknown[] = [];
    await using standIn = await StandIn.open({
      ...usual,
      ...allowed,
      SimulateCustomPolicy: () => new Refused('iam:SimulateCustomPolicy'),
      CreatePolicy: (input: { readonly PolicyDocument: string }) => {
        created.push(input);
        return read(input.PolicyDocument) ?? { Policy: { Arn: arn } };
      },
    });
    const { page, context, offences } = await standIn.page(browser, { colorScheme: 'dark' });
    await page.goto(`${standIn.url}/console/#/identity/new-policy`);
    await page.getByLabel('Name').fill('deploy');
    const editor = page.getByRole('textbox', { name: 'Policy', exact: true });
    const create = page.getByRole('button', { name: 'Create the policy' });
    const dialog = page.getByRole('dialog');
    const put = async (): Promise<void> => {
      // Until the server was asked there is no button; that it may not be asked leaves it there.
      await expect.poll(() => create.isEnabled()).toBe(true);
      await create.press('Enter');
      await dialog.getByRole('button', { name: 'Create the policy' }).press('Enter');
    };
    await editor.fill(text('wrong:*'));
    await put();
    await dialog.getByText('CreatePolicy failed').waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await page.getByText('line 6, column 17').waitFor();
    expect(await create.isDisabled()).toBe(true);
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.screenshot({ path: join(pictures, 'policy-new-dark.png'), fullPage: true });
    await editor.fill(text('ecs:*'));
    await put();
    await page.getByRole('heading', { name: 'deploy' }).waitFor();
    expect(created).toEqual(['wrong:*', 'ecs:*'].map((one) => ({ PolicyName: 'deploy', PolicyDocument: text(one) })));
    expect(offences.found).toEqual([]);
    await context.close();
  });

  test('policies are attached and detached, and what somebody has alone is changed', async () => {
    const done: unknown[] = [];
    const note =
      (name: string) =>
      (input: object): object => {
        done.push({ [name]: input });
        return {};
      };
    await using standIn = await StandIn.open({
      ...usual,
      ...allowed,
      ...Object.fromEntries(changing.map((name) => [name, note(name)])),
    });
    const { page, context, offences } = await standIn.page(browser);
    await page.goto(`${standIn.url}/console/#/identity/user/ci`);
    const dialog = page.getByRole('dialog');
    await page.getByRole('button', { name: 'Attach a policy' }).press('Enter');
    await dialog.getByLabel('Policy').selectOption('ReadOnlyAccess');
    expect(await accessibilityProblems(page)).toEqual([]);
    await dialog.getByRole('button', { name: 'Attach' }).press('Enter');
    await dialog.waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Detach deploy' }).press('Enter');
    await dialog.getByRole('button', { name: 'Detach' }).press('Enter');
    await dialog.waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'own', exact: true }).press('Enter');
    await page.getByRole('textbox', { name: 'Policy', exact: true }).fill(text('ecr:*'));
    await page.getByText('It is a valid policy').waitFor();
    await page.getByRole('button', { name: 'Put it in place' }).press('Enter');
    await dialog.getByRole('button', { name: 'Put it in place' }).press('Enter');
    await dialog.waitFor({ state: 'detached' });
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.screenshot({ path: join(pictures, 'user-light.png'), fullPage: true });
    const UserName = 'ci';
    expect(done).toEqual([
      { AttachUserPolicy: { UserName, PolicyArn: 'arn:aws:iam::aws:policy/ReadOnlyAccess' } },
      { DetachUserPolicy: { UserName, PolicyArn: arn } },
      { PutUserPolicy: { UserName, PolicyName: 'own', PolicyDocument: text('ecr:*') } },
    ]);
    await page.goto(`${standIn.url}/console/#/identity/role/job`);
    await page.getByRole('textbox', { name: 'Trust policy' }).waitFor();
    await page.getByText('No policy', { exact: true }).waitFor();
    expect(offences.found).toEqual([]);
    await context.close();
  });

  test('a user is made, and its access keys: each secret is shown once, as text', async () => {
    const done: unknown[] = [];
    let keys: readonly object[] = [];
    const AccessKeyId = 'AKIAEXAMPLE0000000001';
    const taking = (name: string, answer: (input: { readonly Status?: string }) => object): Answers => ({
      [`${name}?`]: () => ({ allowed: true }),
      [name]: (input: object) => {
        done.push({ [name]: input });
        return answer(input);
      },
    });
    await using standIn = await StandIn.open({
      ...usual,
      ...allowed,
      ListAccessKeys: () => ({ AccessKeyMetadata: keys }),
      GetAccessKeyLastUsed: () => new Refused('iam:GetAccessKeyLastUsed'),
      ...taking('CreateUser', () => ({ User: { UserName: 'new one' } })),
      ...taking('CreateAccessKey', () => {
        keys = [{ AccessKeyId, Status: 'Active', CreateDate: at }];
        return { AccessKey: { AccessKeyId, SecretAccessKey: `secret ${hostile}` } };
      }),
      ...taking('UpdateAccessKey', ({ Status }) => {
        keys = [{ AccessKeyId, Status, CreateDate: at }];
        return {};
      }),
      ...taking('DeleteAccessKey', () => {
        keys = [];
        return {};
      }),
      ...taking(
        'DeleteUser',
        () => new Failed('DeleteConflict', 'Cannot delete entity, must detach all policies first.'),
      ),
    });
    const { page, context, offences } = await standIn.page(browser);
    const dialog = page.getByRole('dialog');
    const agree = async (button: string, yes: string): Promise<void> => {
      await page.locator('main').getByRole('button', { name: button, exact: true }).press('Enter');
      await dialog.getByRole('button', { name: yes, exact: true }).press('Enter');
      await dialog.waitFor({ state: 'detached' });
    };
    await page.goto(`${standIn.url}/console/#/identity`);
    await page.getByRole('button', { name: 'Create a user' }).press('Enter');
    await dialog.getByLabel('Name').fill(' new one ');
    expect(await accessibilityProblems(page)).toEqual([]);
    await dialog.getByRole('button', { name: 'Create' }).press('Enter');
    await page.getByRole('heading', { level: 1, name: 'new one' }).waitFor();
    await page.getByText('No access key', { exact: true }).waitFor();
    await agree('Create an access key', 'Create');
    const made = page.getByRole('status', { name: 'The new access key' });
    expect(await made.locator('code').allTextContents()).toEqual([
      AccessKeyId,
      expect.stringContaining('secret <img src=x'),
    ]);
    expect(await page.locator('main :is(img, script, iframe)').count()).toBe(0);
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.screenshot({ path: join(pictures, 'access-key-light.png'), fullPage: true });
    await made.getByRole('button', { name: 'I have kept it' }).press('Enter');
    await made.waitFor({ state: 'detached' });
    expect(await page.getByText('secret <img').count()).toBe(0);
    await agree(`Turn off ${AccessKeyId}`, 'Turn off');
    await page.getByText('Inactive', { exact: true }).waitFor();
    await agree(`Turn on ${AccessKeyId}`, 'Turn on');
    await page.getByText('Active', { exact: true }).waitFor();
    await agree(`Delete ${AccessKeyId}`, 'Delete');
    await page.getByText('No access key', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Delete the user' }).press('Enter');
    await dialog.getByRole('button', { name: 'Delete', exact: true }).press('Enter');
    await dialog.getByText('must detach all policies first').waitFor();
    const UserName = 'new one';
    expect(done).toEqual([
      { CreateUser: { UserName } },
      { CreateAccessKey: { UserName } },
      { UpdateAccessKey: { UserName, AccessKeyId, Status: 'Inactive' } },
      { UpdateAccessKey: { UserName, AccessKeyId, Status: 'Active' } },
      { DeleteAccessKey: { UserName, AccessKeyId } },
      { DeleteUser: { UserName } },
    ]);
    expect(offences.found).toEqual([]);
    await context.close();
  });

  test('a refusal is explained by its id, from the refusal itself, with whatever is in the policies as text', async () => {
    await using standIn = await StandIn.open({
      ...usual,
      [`GET /slipway/denials/${id}?`]: () => ({ allowed: true }),
      ListClusters: () => new Refused('ecs:ListClusters', id),
    });
    const { page, context, offences } = await standIn.page(browser);
    await page.goto(`${standIn.url}/console/#/`);
    await page.getByRole('link', { name: 'Which policy refused it?' }).first().press('Enter');
    await page.getByText('Denied by a statement').waitFor();
    await page.getByText('would allow it, but its condition on aws:SourceIp does not hold').waitFor();
    await page.getByText('It was about 2 more resources.').waitFor();
    expect(await page.locator('main :is(img, script, iframe)').count()).toBe(0);
    expect(await page.getByRole('link', { name: 'own', exact: true }).first().getAttribute('href')).toBe(
      '#/identity/user/ci',
    );
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.screenshot({ path: join(pictures, 'denial-light.png'), fullPage: true });
    await page.getByLabel('Id of the request').fill('nothing');
    await page.getByRole('button', { name: 'Explain' }).press('Enter');
    await page.getByText('This is not the id of a request.').waitFor();
    expect(offences.found).toEqual([]);
    await context.close();
  });

  test('who may only read sees policies and keys, and has no buttons', async () => {
    const AccessKeyMetadata = [{ AccessKeyId: 'AKIAEXAMPLE0000000001', Status: 'Active', CreateDate: at }];
    await using standIn = await StandIn.open({
      ...usual,
      ListEntitiesForPolicy: () => new Refused('iam:List'),
      ListAccessKeys: () => ({ AccessKeyMetadata }),
      GetAccessKeyLastUsed: () => ({ AccessKeyLastUsed: { LastUsedDate: at } }),
    });
    const { page, context, offences } = await standIn.page(browser, { width: 390 });
    await page.goto(`${standIn.url}/console/#/identity/policy/${encodeURIComponent(arn)}`);
    const editor = page.getByRole('textbox', { name: 'Version v2, which counts' });
    await editor.waitFor();
    await page.getByText('You are not allowed to see who has it.').waitFor();
    const asks = ['CreatePolicyVersion?', 'SetDefaultPolicyVersion?', 'DeletePolicyVersion?'];
    await expect.poll(() => asks.every((one) => standIn.asked.includes(one))).toBe(true);
    expect(await editor.getAttribute('readonly')).not.toBeNull();
    expect(await page.locator('main').getByRole('button').count()).toBe(0);
    expect(standIn.asked).not.toContain('SimulateCustomPolicy');
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.goto(`${standIn.url}/console/#/identity/user/ci`);
    await page.getByText('AKIAEXAMPLE0000000001').waitFor();
    const ofKeys = ['CreateAccessKey?', 'UpdateAccessKey?', 'DeleteAccessKey?', 'DeleteUser?'];
    await expect.poll(() => ofKeys.every((one) => standIn.asked.includes(one))).toBe(true);
    // What is left opens a policy of its own.
    expect(await page.locator('main').getByRole('button').allTextContents()).toEqual(['own']);
    expect(await accessibilityProblems(page)).toEqual([]);
    expect(offences.found).toEqual([]);
    await context.close();
  });
});
