import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accessibilityProblems, missingBrowser, openBrowser } from '../testbed/browser.ts';
import { arnOf, at, clusterOf, hostile, serviceOf } from './testing/made-up.ts';
import { type Answers, Refused, StandIn } from './testing/stand-in.ts';

const missing = missingBrowser();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const pictures = process.env['SLIPWAY_TEST_PICTURES'] ?? join(tmpdir(), 'slipway-console-pictures');
mkdirSync(pictures, { recursive: true });

const id = '0123456789abcdef'.repeat(2);
const list = 'GET /slipway/webhooks/default/web';
const webhook = {
  id,
  url: `http://127.0.0.1:7500/webhooks/${id}`,
  createdAt: new Date(at * 1000).toISOString(),
  createdBy: `arn:aws:iam::000000000000:user/${hostile}`,
  state: 'stopped',
  reason: `may not: ${hostile}`,
  lastUsedAt: new Date(at * 1000).toISOString(),
  deliveries: [
    { id: 'a'.repeat(16), at: new Date(at * 1000).toISOString(), status: 202, answer: 'started', attempts: 1 },
    {
      id: 'b'.repeat(16),
      at: new Date(at * 1000 - 60_000).toISOString(),
      image: `ghcr.io/me/web:${hostile}`,
      status: 422,
      answer: `no such image ${hostile}`,
      attempts: 3,
    },
  ],
};

const stopped = {
  taskArn: arnOf('task', 'default', 'f'.repeat(32)),
  group: 'service:api',
  stopCode: 'TaskFailedToStart',
  stoppedAt: at - 120,
  stoppedReason: `CannotPullContainerError: ${hostile}`,
};
const usual: Answers = {
  ...clusterOf([serviceOf('web'), serviceOf('api')]),
  ListTasks: ({ desiredStatus }: { readonly desiredStatus: string }) => ({
    taskArns: desiredStatus === 'STOPPED' ? [stopped.taskArn] : [],
  }),
  DescribeTasks: () => ({ tasks: [stopped] }),
  DescribeRepositories: () => ({ repositories: [{ repositoryName: 'web' }] }),
  DescribeImages: () => ({
    imageDetails: [{ repositoryName: 'web', imageDigest: `sha256:${id}${id}`, imageTags: ['prod'], imagePushedAt: at }],
  }),
  DescribeAlarmHistory: () => ({
    AlarmHistoryItems: [
      {
        AlarmName: hostile,
        Timestamp: at,
        HistoryItemType: 'StateUpdate',
        HistorySummary: 'Alarm updated from OK to ALARM',
      },
      {
        AlarmName: hostile,
        Timestamp: at + 1,
        HistoryItemType: 'Action',
        HistorySummary: 'Failed to execute action https://hook.example',
      },
    ],
  }),
  [list]: () => ({ webhooks: [webhook] }),
};
const allowed: Answers = {
  'POST /slipway/webhooks/default/web?': () => ({ allowed: true }),
  [`DELETE /slipway/webhooks/default/web/${'0'.repeat(32)}?`]: () => ({ allowed: true }),
};

describe.skipIf(missing !== undefined)('events and webhooks in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  test.each(['light', 'dark'] as const)(
    'are shown with what was sent, filtered, and changed by who may, in %s',
    async (colorScheme) => {
      await using standIn = await StandIn.open({ ...usual, ...allowed });
      const { page, context, offences } = await standIn.page(browser, { colorScheme });
      await page.goto(`${standIn.url}/console/#/events`);
      const events = page.getByRole('table', { name: 'Events, the newest first' });
      // Two of each service, a task, an image, two of an alarm.
      await expect.poll(() => events.locator('tbody tr').count()).toBe(8);
      await page.getByText('Choose a service above').waitFor();
      await page.getByRole('button', { name: 'Alarms' }).click();
      await expect.poll(() => events.locator('tbody tr').count()).toBe(2);
      await page.getByRole('button', { name: 'Everything' }).click();
      await page.getByRole('button', { name: 'Only what is odd' }).click();
      await expect.poll(() => events.locator('tbody tr').count()).toBe(5);
      await page.getByLabel('Find in events').fill('cannotpull');
      await expect.poll(() => events.locator('tbody tr').count()).toBe(1);
      await page.getByLabel('Find in events').fill('');
      await page.getByRole('combobox', { name: 'Service' }).selectOption('default/web');
      await expect.poll(() => events.locator('tbody tr').count()).toBe(1);
      await page.getByText('Refused, 422').waitFor();
      await page.getByRole('button', { name: 'Only what is odd' }).click();
      expect(await page.locator('main :is(img, script, iframe)').count()).toBe(0);
      await page.getByRole('button', { name: 'Create a webhook' }).waitFor();
      expect(await accessibilityProblems(page)).toEqual([]);
      await page.screenshot({ path: join(pictures, `events-${colorScheme}.png`), fullPage: true });
      expect(offences.found).toEqual([]);
      await context.close();
    },
  );

  test('a webhook is made with its secret shown once, a delivery is done again, a webhook is removed', async () => {
    const redeliver = `POST /slipway/webhooks/default/web/${id}/deliveries/${'b'.repeat(16)}`;
    let refuses = true;
    await using standIn = await StandIn.open({
      ...usual,
      ...allowed,
      'POST /slipway/webhooks/default/web': () => ({ url: webhook.url, secret: 'kept-by-nobody' }),
      [redeliver]: () => (refuses ? new Refused('ecs:UpdateService') : { deployment: 'started' }),
      [`DELETE /slipway/webhooks/default/web/${id}`]: () => ({}),
    });
    const { page, context, offences } = await standIn.page(browser);
    const dialog = page.getByRole('dialog');
    await page.goto(`${standIn.url}/console/#/events/default/web`);
    await page.getByRole('button', { name: 'Create a webhook' }).click();
    await dialog.getByRole('button', { name: 'Create' }).click();
    await page.getByText('kept-by-nobody').waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.getByRole('button', { name: 'I have kept it' }).click();
    await page.getByText('kept-by-nobody').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Refused 1' }).click();
    await page.getByRole('button', { name: 'Redeliver bbbb' }).click();
    await dialog.getByRole('button', { name: 'Redeliver' }).click();
    await dialog.getByText('You are not allowed to call Redeliver').waitFor();
    refuses = false;
    await dialog.getByRole('button', { name: 'Redeliver' }).click();
    await dialog.waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Remove webhook 0123' }).click();
    await dialog.getByRole('button', { name: 'Remove' }).click();
    await dialog.waitFor({ state: 'detached' });
    expect(standIn.asked.filter((one) => /^(?:POST|DELETE) .*[^?]$/.test(one))).toEqual([
      'POST /slipway/webhooks/default/web',
      redeliver,
      redeliver,
      `DELETE /slipway/webhooks/default/web/${id}`,
    ]);
    expect(offences.found).toEqual([]);
    await context.close();
  });

  test('who may only read has no buttons, what is refused says so, and nothing is said of nothing', async () => {
    await using standIn = await StandIn.open(usual);
    const { page, context, offences } = await standIn.page(browser, { width: 390 });
    await page.goto(`${standIn.url}/console/#/events/default/web`);
    await page.getByText('Refused, 422').waitFor();
    await expect.poll(() => standIn.asked.filter((one) => one.endsWith('?')).length).toBe(2);
    expect(await page.getByRole('button', { name: /^(?:Create|Remove|Redeliver)/ }).count()).toBe(0);
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.screenshot({ path: join(pictures, 'events-phone.png'), fullPage: true });
    standIn.answers = { ...clusterOf([]), DescribeAlarmHistory: () => new Refused('cloudwatch:DescribeAlarmHistory') };
    await page.goto(`${standIn.url}/console/#/events`);
    await page.getByText('Nothing has happened yet').waitFor();
    await page.getByText('You are not allowed to call DescribeAlarmHistory').waitFor();
    await page.screenshot({ path: join(pictures, 'events-empty.png'), fullPage: true });
    expect(offences.found).toEqual([]);
    await context.close();
  });
});
