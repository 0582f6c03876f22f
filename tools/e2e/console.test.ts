import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CloudWatchClient, PutDashboardCommand } from '@aws-sdk/client-cloudwatch';
import { CloudWatchLogsClient, CreateLogGroupCommand } from '@aws-sdk/client-cloudwatch-logs';
import {
  CreateClusterCommand,
  CreateServiceCommand,
  DeleteServiceCommand,
  DescribeServicesCommand,
  ECSClient,
  UpdateServiceCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  StopTaskCommand,
} from '@aws-sdk/client-ecs';
import { AttachUserPolicyCommand, CreateAccessKeyCommand, CreateUserCommand, IAMClient } from '@aws-sdk/client-iam';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { signatureOf } from '@slipway/auth/kit';
import { freePort } from '@slipway/storage/testing';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ecsClient, sdkOptions } from '../testbed/aws-clients.ts';
import { accessibilityProblems, missingBrowser, openBrowser, watchPage } from '../testbed/browser.ts';
import { run } from '../testbed/command.ts';
import { missingDocker } from '../testbed/docker.ts';
import { LocalStage } from '../testbed/local-stage.ts';
import type { ServerProcess } from '../testbed/server-process.ts';

/**
 * The console in a real browser beside a real engine. Whatever breaks its Content-Security-Policy, throws, or asks another server for
 * something, fails the test that it happens in. Pictures of the pages lie in SLIPWAY_TEST_PICTURES, or in a folder below /tmp.
 */
const missing = (await missingDocker()) ?? missingBrowser();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const pictures = process.env['SLIPWAY_TEST_PICTURES'] ?? join(tmpdir(), 'slipway-console-pictures');
mkdirSync(pictures, { recursive: true });

/** What users may put wherever a text is theirs: markup, scripts, terminal sequences, and characters that turn the line around. */
const hostile = [
  '<img src=x onerror=alert(1)>',
  '"><script>alert(2)</script>',
  "javascript:alert(3)//'-alert(3)-'",
  '<svg/onload=alert(4)>{{7*7}}${7*7}',
] as const;
const sequences = '\u001b[31mred\u001b[0m \u001b]0;title\u0007 \u202egnp.exe';

describe.skipIf(missing !== undefined)(
  `the console${missing === undefined ? '' : ` (${missing})`}`,
  { timeout: 600_000 },
  () => {
    const stage = new LocalStage('console');
    let server: ServerProcess;
    let ecs: ECSClient;
    let browser: Browser;
    let context: BrowserContext;
    let page: Page;
    let offences: ReturnType<typeof watchPage>;
    let reader: { readonly accessKeyId: string; readonly secretAccessKey: string };
    let nobody: typeof reader;

    const slipway = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await run(join(import.meta.dirname, '..', 'bin', 'slipway'), args, {
        env: { SLIPWAY_DATA: server.data, AWS_ENDPOINT_URL: undefined },
      });
      expect(code, stderr).toBe(0);
      return stdout;
    };
    const address = (): string => `${server.endpoint}/console/`;
    const signedIn = async (): Promise<string> =>
      (JSON.parse(await slipway('console', '--output', 'json')) as { readonly url: string }).url;

    beforeAll(async () => {
      server = await stage.serve({ SLIPWAY_WORKERS: '1', SLIPWAY_HEALTHY_AFTER_SECONDS: '2' });
      ecs = ecsClient(server);
      // It writes what a log may hold: a script for whoever shows it as markup, and sequences for whoever shows it on a terminal.
      const says = `printf '%s \\033[31mred\\033[0m\\n' '${hostile[0]}'`;
      const command = ['/bin/sh', '-c', `trap "exit 0" TERM; ${says}; httpd -f -p 8080 -h /www & wait`];
      const image = await stage.push('web:prod', { files: { '/www/index.html': 'one' }, command });
      await new CloudWatchLogsClient(sdkOptions(server)).send(new CreateLogGroupCommand({ logGroupName: 'web' }));
      for (const family of ['web', 'worker'])
        await ecs.send(
          new RegisterTaskDefinitionCommand({
            family,
            containerDefinitions: [
              {
                name: family,
                image,
                memory: 32,
                environment: [{ name: hostile[1], value: 'not shown' }],
                portMappings: [{ containerPort: 8080 }],
                logConfiguration: {
                  logDriver: 'awslogs',
                  options: { 'awslogs-group': 'web', 'awslogs-region': 'us-east-1', 'awslogs-stream-prefix': family },
                },
              },
            ],
          }),
        );
      const tags = hostile.map((value, i) => ({ key: `tag ${i}`, value: value.replaceAll(/[^\w .:/=+@-]/g, '@') }));
      await ecs.send(
        new CreateServiceCommand({
          serviceName: 'web',
          taskDefinition: 'web',
          desiredCount: 2,
          enableExecuteCommand: true,
          tags,
        }),
      );
      await ecs.send(new CreateServiceCommand({ serviceName: 'worker', taskDefinition: 'worker', desiredCount: 1 }));
      const iam = new IAMClient(sdkOptions(server));
      const user = async (UserName: string, ...policies: string[]): Promise<typeof reader> => {
        await iam.send(new CreateUserCommand({ UserName }));
        for (const policy of policies)
          await iam.send(new AttachUserPolicyCommand({ UserName, PolicyArn: `arn:aws:iam::aws:policy/${policy}` }));
        const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
        return { accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' };
      };
      reader = await user('reader', 'ReadOnlyAccess');
      nobody = await user('nobody');
      browser = await openBrowser();
    });

    afterAll(async () => {
      await browser?.close();
      ecs?.destroy();
      await stage[Symbol.asyncDispose]();
    });

    /** A window without a session. */
    async function open(colorScheme: 'light' | 'dark' = 'light', width = 1280): Promise<void> {
      await context?.close();
      context = await browser.newContext({ colorScheme, viewport: { width, height: 900 } });
      context.setDefaultTimeout(180_000);
      page = await context.newPage();
      // A refusal is an answer with a status that the browser notes in its console.
      offences = watchPage(
        page,
        server.endpoint,
        /^Failed to load resource: the server responded with a status of 4(?:0[013]|22)/,
      );
    }
    /** Writes a picture for people to look at; one that is called light, in dark as well. */
    const picture = async (name: string): Promise<void> => {
      await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
      if (!name.endsWith('-light')) return;
      await page.emulateMedia({ colorScheme: 'dark' });
      await page.screenshot({ path: join(pictures, `${name.replace(/light$/, 'dark')}.png`), fullPage: true });
      await page.emulateMedia({ colorScheme: 'light' });
    };
    const heading = (name: string) => page.getByRole('heading', { name, exact: true });
    const button = (name: string | RegExp) => page.getByRole('button', { name, exact: true });

    const serviceLink = (name: string) => page.getByRole('table').getByRole('link', { name, exact: true });

    async function signIn(key: typeof reader): Promise<void> {
      await page.goto(address());
      await page.getByLabel('Access key id').fill(key.accessKeyId);
      await page.getByLabel('Secret access key').fill(key.secretAccessKey);
      await button('Sign in').click();
    }
    const openService = (name: string): Promise<unknown> => page.goto(`${address()}#/services/default/${name}`);

    test('a newcomer signs in with one command and sees the services, in a first load of a few tens of KiB', async () => {
      await open();
      const session = await context.newCDPSession(page);
      await session.send('Network.enable');
      let received = 0;
      session.on('Network.loadingFinished', ({ encodedDataLength }) => (received += encodedDataLength));
      const changes = page.waitForResponse((answer) => answer.url().includes('/console/changes'));
      await page.goto(await signedIn());
      await serviceLink('web').waitFor();
      await serviceLink('worker').waitFor();
      const stream = await changes;
      expect([stream.url(), stream.status(), stream.headers()['content-type']]).toEqual([
        `${server.endpoint}/console/changes?cluster=default`,
        200,
        'text/event-stream',
      ]);
      expect(received).toBeGreaterThan(5000);
      expect(received).toBeLessThan(250 * 1024);
      expect(new URL(page.url()).hash).toBe('#/');
      await expect.poll(() => page.locator('.status.good').count()).toBeGreaterThanOrEqual(3);
      expect(await accessibilityProblems(page)).toEqual([]);
      await picture('overview-light');
      expect(offences.found).toEqual([]);
    });

    test('a service shows its tasks, deployments, events and logs; texts of users stay texts', async () => {
      const taskArn = (await ecs.send(new ListTasksCommand({ serviceName: 'web' }))).taskArns?.[0];
      await ecs.send(new StopTaskCommand({ task: taskArn, reason: `${hostile[3]} ${sequences}` }));
      await openService('web');
      for (const name of ['Deployments', 'CPU and memory', 'Tasks', 'Logs', 'Events', 'Configuration'])
        await heading(name).waitFor();
      // Markup is shown as it was written, and the characters that terminals obey by their numbers.
      await page.locator('.log').getByText(`${hostile[0]} ⟨1b⟩[31mred⟨1b⟩[0m`).first().waitFor();
      await page.getByText(hostile[1]).waitFor();
      await button(/^Stopped/).click();
      await page.getByText(`${hostile[3]} ⟨1b⟩[31mred`).waitFor();
      await page.getByText('⟨202e⟩gnp.exe').waitFor();
      expect(await page.locator('main :is(img, script, iframe)').count()).toBe(0);
      await page.getByLabel('Search the logs').fill('no such line');
      await page.getByText('No line has that').waitFor();
      await page.getByLabel('Search the logs').fill('onerror');
      await page.locator('.log').getByText(hostile[0]).first().waitFor();
      expect(await accessibilityProblems(page)).toEqual([]);
      await picture('service-light');
      expect(offences.found).toEqual([]);
    });

    test('a shell in a task takes what is typed, and ends', async () => {
      await button(/^Running/).click();
      await button(/^Terminal in task/)
        .first()
        .click();
      await button('Open').click();
      const input = page.getByRole('textbox', { name: 'Input of the terminal in web' });
      await page.getByText('Ctrl+] leaves the terminal.').waitFor();
      const screen = page.getByRole('log', { name: 'Screen of the terminal' });
      await screen.getByText('#').first().waitFor();
      await input.pressSequentially('echo is $((6 * 7))');
      await input.press('Enter');
      await screen.getByText('is 42', { exact: true }).waitFor();
      expect(await accessibilityProblems(page)).toEqual([]);
      await picture('terminal-light');
      await input.pressSequentially('exit 5');
      await input.press('Enter');
      await page.getByText('It ended with exit code 5.').waitFor();
      await button('Close').click();
      expect(offences.found).toEqual([]);
    });

    test('a service is scaled and deployed again, and the page follows', async () => {
      await button('Scale').click();
      const dialog = page.getByRole('dialog');
      // An empty field is no number, least of all zero.
      await dialog.getByRole('spinbutton').fill('');
      await dialog.getByRole('button', { name: 'Scale' }).click();
      expect(await dialog.locator('input:invalid').count()).toBe(1);
      await dialog.getByRole('spinbutton').fill('3');
      expect(await accessibilityProblems(page)).toEqual([]);
      await dialog.getByRole('button', { name: 'Scale' }).click();
      await page.getByText('3 of 3').waitFor();
      await button('Deploy again').click();
      await dialog.getByRole('button', { name: 'Deploy' }).click();
      await page.locator('.current').waitFor();
      await picture('deployment-light');
      await expect
        .poll(async () => {
          const { services } = await ecs.send(new DescribeServicesCommand({ services: ['web'] }));
          return services?.[0]?.deployments?.map(({ rolloutState }) => rolloutState);
        })
        .toEqual(['COMPLETED']);
      await page.locator('.current').waitFor({ state: 'detached' });
      expect(offences.found).toEqual([]);
    });

    test('a deployment that gets nowhere is compared with what ran before, and rolled back', async () => {
      await ecs.send(
        new RegisterTaskDefinitionCommand({
          family: 'worker',
          containerDefinitions: [
            {
              name: 'worker',
              image: `${server.registry}/web:prod`,
              memory: 48,
              // It counts as starting for as long as the test may last, and then as unhealthy.
              healthCheck: { command: ['CMD-SHELL', 'exit 1'], startPeriod: 300 },
            },
          ],
        }),
      );
      await ecs.send(new UpdateServiceCommand({ service: 'worker', taskDefinition: 'worker:2' }));
      await page.goto(`${address()}#/deployments`);
      const underWay = page.getByRole('article', { name: 'worker' });
      await underWay.getByText('takes the place of').waitFor();
      await underWay.getByRole('button', { name: 'What changed since worker:1' }).click();
      await underWay.locator('del').getByText('"memory": 32').waitFor();
      await underWay.locator('ins').getByText('"memory": 48').waitFor();
      expect(await accessibilityProblems(page)).toEqual([]);
      await picture('deployments-light');
      await underWay.getByRole('button', { name: 'Roll back' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click();
      await expect
        .poll(async () => {
          const { services } = await ecs.send(new DescribeServicesCommand({ services: ['worker'] }));
          return [services?.[0]?.taskDefinition?.split('/').at(-1), services?.[0]?.deployments?.length];
        })
        .toEqual(['worker:1', 1]);
      await page.getByText('No deployment is under way').waitFor();
      expect(offences.found).toEqual([]);
    });

    test('hosts show what runs on them, and are drained; repositories show their images and what runs them', async () => {
      await page.goto(`${address()}#/hosts`);
      await page.getByText('web × 3').waitFor();
      await button(/^Drain /).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Drain' }).click();
      await page.getByText('Draining', { exact: true }).waitFor();
      await picture('hosts-light');
      expect(await accessibilityProblems(page)).toEqual([]);
      await button(/^Use again /).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Use again' }).click();
      await page.getByText('Connected', { exact: true }).waitFor();
      await page.goto(`${address()}#/repositories`);
      await page.getByRole('link', { name: 'web', exact: true }).click();
      await page.getByText(`docker pull ${server.registry}/web:prod`).waitFor();
      const row = page.getByRole('row').filter({ hasText: 'prod' });
      for (const name of ['web', 'worker']) await row.getByRole('link', { name, exact: true }).waitFor();
      expect(await accessibilityProblems(page)).toEqual([]);
      await picture('repository-light');
      expect(offences.found).toEqual([]);
      await openService('web');
    });

    test('a task that fits on no host is told on the page of hosts, with the reason, until nobody wants it', async () => {
      const main = { name: 'main', image: 'web:prod', memory: 64 * 1024 * 1024 };
      await ecs.send(new RegisterTaskDefinitionCommand({ family: 'huge', containerDefinitions: [main] }));
      await ecs.send(new CreateServiceCommand({ serviceName: 'huge', taskDefinition: 'huge', desiredCount: 1 }));
      await page.goto(`${address()}#/hosts`);
      const waiting = page.getByRole('region', { name: 'Tasks that fit on no host of default' });
      await waiting.getByText('lacks 1 task').waitFor();
      await waiting.getByText(/no container instance met all of its requirements.*memory/).waitFor();
      expect(await accessibilityProblems(page)).toEqual([]);
      await picture('hosts-waiting-light');
      await ecs.send(new DeleteServiceCommand({ service: 'huge', force: true }));
      await waiting.waitFor({ state: 'detached' });
      expect(offences.found).toEqual([]);
      await openService('web');
    });

    test('a webhook is made in the page, refuses an image that is not there, and says so', async () => {
      await page.goto(`${address()}#/events/default/web`);
      await page.getByRole('table', { name: 'Events, the newest first' }).getByText('steady state').first().waitFor();
      await button('Create a webhook').click();
      await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click();
      const made = page.getByRole('status', { name: 'The new webhook' }).locator('code');
      await made.first().waitFor();
      const [url = '', secret = ''] = await made.allTextContents();
      const id = url.split('/').at(-1) ?? '';
      const body = Buffer.from('{"image":"not an image"}');
      const headers = { 'slipway-signature': signatureOf(secret, id, Math.floor(Date.now() / 1000), body) };
      expect((await fetch(url, { method: 'POST', body, headers })).status).toBe(422);
      await page.getByText('Refused, 422').waitFor();
      await button(/^Redeliver /).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Redeliver' }).click();
      await page.getByRole('dialog').getByText('Redeliver failed').waitFor();
      await page.keyboard.press('Escape');
      await page.getByRole('cell', { name: '2', exact: true }).waitFor();
      expect(await accessibilityProblems(page)).toEqual([]);
      await picture('events-light');
      expect(offences.found).toEqual([]);
    });

    test('load balancers show what stands behind them, and policies say why', async () => {
      await slipway('expose', 'default/worker', '--port', String(await freePort()));
      await page.goto(`${address()}#/balancers`);
      await heading('worker').first().waitFor();
      await page.getByText('Healthy', { exact: true }).waitFor({ timeout: 180_000 });
      expect(await accessibilityProblems(page)).toEqual([]);
      await picture('balancers-light');
      await page.goto(`${address()}#/services/default/worker`);
      await heading('Requests and latency').waitFor();
      await page.goto(`${address()}#/identity`);
      for (const [name, verdict, policy] of [
        ['reader', 'Not allowed by any statement', 'No policy of theirs has a statement about it.'],
        ['admin', 'Allowed', 'AdministratorAccess'],
      ] as const) {
        await button(`Ask about ${name}`).click();
        await button('Ask').first().click();
        await page.locator('.answer').getByText(verdict, { exact: true }).waitFor();
        await page.locator('.answer').getByText(policy).waitFor();
      }
      expect(await accessibilityProblems(page)).toEqual([]);
      await picture('identity-light');
      expect(offences.found).toEqual([]);
    });

    test('a refusal is explained by its id, and a policy is written with what the server finds wrong in it', async () => {
      const client = new ECSClient({ ...sdkOptions(server), credentials: reader });
      const refused = await client.send(new CreateClusterCommand({ clusterName: 'more' })).then(
        () => '',
        (error: { readonly $metadata: { readonly requestId?: string } }) => error.$metadata.requestId ?? '',
      );
      client.destroy();
      // Why it was refused is kept a moment after the answer.
      const env = { SLIPWAY_DATA: server.data, AWS_ENDPOINT_URL: undefined };
      const explained = () =>
        run(join(import.meta.dirname, '..', 'bin', 'slipway'), ['explain', '--request', refused], { env });
      await expect.poll(async () => (await explained()).code).toBe(0);
      await page.goto(`${address()}#/identity/why/${refused}`);
      await page.locator('.denial').getByText('Not allowed by any statement').waitFor();
      await page
        .locator('.denial')
        .getByRole('link', { name: /ReadOnlyAccess$/ })
        .waitFor();
      await page.goto(`${address()}#/identity/new-policy`);
      await page.getByLabel('Name').fill('deploy');
      const policy = (action: string): string =>
        `{"Version": "2012-10-17",\n"Statement": [{"Effect": "Allow", "Action": "${action}", "Resource": "*"}]}`;
      const editor = page.getByRole('textbox', { name: 'Policy', exact: true });
      await editor.fill(policy('everything'));
      await page.getByText('line 2, column 45').waitFor();
      await editor.fill(policy('ecs:List*'));
      await page.getByText('It is a valid policy').waitFor();
      await button('Create the policy').click();
      await page.getByRole('dialog').getByRole('button', { name: 'Create the policy' }).click();
      await heading('deploy').waitFor();
      expect(await accessibilityProblems(page)).toEqual([]);
      await picture('policy-light');
      expect(offences.found).toEqual([]);
      await openService('web');
    });

    test('a user who was made here signs with the key that was shown, until it is turned off', async () => {
      await page.goto(`${address()}#/identity`);
      const dialog = page.getByRole('dialog');
      await button('Create a user').click();
      await dialog.getByLabel('Name').fill('builder');
      await dialog.getByRole('button', { name: 'Create' }).click();
      await heading('builder').waitFor();
      await button('Create an access key').click();
      await dialog.getByRole('button', { name: 'Create' }).click();
      const made = page.getByRole('status', { name: 'The new access key' }).locator('code');
      await made.first().waitFor();
      const [accessKeyId = '', secretAccessKey = ''] = await made.allTextContents();
      const sts = new STSClient({ ...sdkOptions(server), credentials: { accessKeyId, secretAccessKey } });
      const who = () => sts.send(new GetCallerIdentityCommand({})).then(({ Arn }) => Arn, String);
      expect(await who()).toBe('arn:aws:iam::000000000000:user/builder');
      await picture('user-light');
      await button(`Turn off ${accessKeyId}`).click();
      await dialog.getByRole('button', { name: 'Turn off' }).click();
      await page.getByText('Inactive', { exact: true }).waitFor();
      await expect.poll(who).toContain('InvalidClientTokenId');
      sts.destroy();
      await button(`Delete ${accessKeyId}`).click();
      await dialog.getByRole('button', { name: 'Delete' }).click();
      await page.getByText('No access key', { exact: true }).waitFor();
      await button('Delete the user').click();
      await dialog.getByRole('button', { name: 'Delete' }).click();
      await heading('Identity').waitFor();
      expect(offences.found).toEqual([]);
      await openService('web');
    });

    test('health shows the server, its hosts, engines and settings', async () => {
      await page.goto(`${address()}#/health`);
      for (const words of ['Up to date', 'Current', 'There is no certificate', 'containerInsights', 'Record store'])
        await page.getByText(words, { exact: true }).first().waitFor();
      expect(await page.locator('.refusal').count()).toBe(0);
      expect(await accessibilityProblems(page)).toEqual([]);
      await picture('health-light');
      expect(offences.found).toEqual([]);
      await openService('web');
    });

    test('a dashboard shows its metrics, texts and alarms, whatever is written in it', async () => {
      const cloudWatch = new CloudWatchClient(sdkOptions(server));
      const alarms = ['arn:aws:cloudwatch:us-east-1:000000000000:alarm:none'];
      const widgets = [
        {
          type: 'metric',
          properties: {
            title: hostile[0],
            period: 60,
            metrics: [
              ['AWS/ECS', 'CPUUtilization', 'ClusterName', 'default', 'ServiceName', 'web', { id: 'cpu' }],
              ['.', 'MemoryUtilization', '.', '.', '.', '.', { label: hostile[1] }],
              [{ expression: 'cpu * 2', label: 'twice' }],
            ],
          },
        },
        { type: 'text', properties: { markdown: `# ${hostile[3]}` } },
        { type: 'alarm', properties: { title: 'What rings', alarms } },
      ];
      const DashboardBody = JSON.stringify({ widgets });
      await cloudWatch.send(new PutDashboardCommand({ DashboardName: 'shop', DashboardBody }));
      cloudWatch.destroy();
      await page.goto(`${address()}#/dashboards`);
      await page.getByRole('link', { name: 'shop', exact: true }).click();
      await heading(hostile[0]).waitFor();
      await page.locator('figure.chart').getByText(hostile[1]).waitFor();
      await expect.poll(() => page.locator('figure.chart').count()).toBe(3);
      await page.getByText(`# ${hostile[3]}`).waitFor();
      await page.getByText('There is no such alarm').waitFor();
      expect(await page.locator('main :is(img, script, iframe)').count()).toBe(0);
      expect(await accessibilityProblems(page)).toEqual([]);
      await picture('dashboard-light');
      expect(offences.found).toEqual([]);
      await openService('web');
    });

    test('the keyboard reaches the content, and Escape leaves a question', async () => {
      await page.reload();
      await button('Scale').waitFor();
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      expect(await page.evaluate('document.activeElement.id')).toBe('content');
      await button('Scale').focus();
      await page.keyboard.press('Enter');
      await page.getByRole('dialog').waitFor();
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      expect(await page.evaluate('document.activeElement.textContent')).toBe('Scale');
      expect(offences.found).toEqual([]);
    });

    test('a code signs in once', async () => {
      const url = await signedIn();
      await open('dark');
      await page.goto(url);
      await heading('Overview').waitFor();
      await serviceLink('worker').waitFor();
      await picture('overview-dark');
      expect(await accessibilityProblems(page)).toEqual([]);
      await openService('web');
      await page.locator('.log').waitFor();
      await picture('service-dark');
      expect(await accessibilityProblems(page)).toEqual([]);
      await button('Sign out').click();
      await page.getByText('You are signed out.').waitFor();
      await page.goto('about:blank');
      await page.goto(url);
      await page.getByText('This address was used already').waitFor();
      expect(await accessibilityProblems(page)).toEqual([]);
      await picture('sign-in-dark');
      expect(offences.found.filter((one) => !one.includes('about:blank'))).toEqual([]);
    });

    test('who may only read has no buttons; who may nothing sees why, and nobody’s data', async () => {
      await open('light', 390);
      await signIn({ ...reader, secretAccessKey: 'wrong' });
      await page.getByText('There is no such access key, or its secret is another.').waitFor();
      await signIn(reader);
      await page.getByRole('link', { name: 'web' }).first().waitFor();
      await picture('overview-phone');
      await openService('web');
      await page.locator('.log').waitFor();
      expect(await button(/^(?:Scale|Deploy again|Stop task|Terminal in)/).count()).toBe(0);
      expect(await accessibilityProblems(page)).toEqual([]);
      await page.goto(`${address()}#/hosts`);
      await page.getByText('web × 3').waitFor();
      expect(await button(/^Drain/).count()).toBe(0);
      await page.goto(`${address()}#/events/default/web`);
      await page.getByText('Refused, 422').waitFor();
      expect(await button(/^(?:Create|Remove|Redeliver)/).count()).toBe(0);
      expect(offences.found).toEqual([]);
      await open();
      await signIn(nobody);
      await page.getByText('You are not allowed to call ListClusters').waitFor();
      await page.getByText('because no identity-based policy allows the ecs:ListClusters action').waitFor();
      expect(await page.getByRole('link', { name: 'web' }).count()).toBe(0);
      await picture('refused');
      expect(offences.found).toEqual([]);
    });

    test('a server that is gone is said so, and what was shown stays', async () => {
      await open();
      await page.goto(await signedIn());
      await serviceLink('worker').waitFor();
      await server.stop();
      await page.getByText('The server does not answer').waitFor({ timeout: 180_000 });
      expect(await serviceLink('worker').count()).toBe(1);
      await picture('server-gone');
    });
  },
);
