import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accessibilityProblems, missingBrowser, openBrowser } from '../testbed/browser.ts';
import { arnOf, at, clusterOf, hostile, serviceOf } from './testing/made-up.ts';
import { Shell } from './testing/shell.ts';
import { type Answers, Refused, StandIn } from './testing/stand-in.ts';

const missing = missingBrowser();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const pictures = process.env['SLIPWAY_TEST_PICTURES'] ?? join(tmpdir(), 'slipway-console-pictures');
mkdirSync(pictures, { recursive: true });

const ids = ['a', 'b'].map((letter) => letter.repeat(32));
const task = (id: string, enableExecuteCommand: boolean): object => ({
  taskArn: arnOf('task', 'default', id),
  taskDefinitionArn: arnOf('task-definition', 'web:1'),
  lastStatus: 'RUNNING',
  createdAt: at,
  enableExecuteCommand,
  containers: ['web', 'proxy'].map((name) => ({
    name,
    lastStatus: 'RUNNING',
    managedAgents: [{ name: 'ExecuteCommandAgent', lastStatus: enableExecuteCommand ? 'RUNNING' : 'PENDING' }],
  })),
});
const usual: Answers = {
  ...clusterOf([serviceOf('web')]),
  ListTasks: ({ desiredStatus }: { readonly desiredStatus: string }) => ({
    taskArns: desiredStatus === 'RUNNING' ? ids.map((id) => arnOf('task', 'default', id)) : [],
  }),
  DescribeTasks: () => ({ tasks: [task(ids[0] ?? '', true), task(ids[1] ?? '', false)] }),
  ListServiceDeployments: () => ({ serviceDeployments: [] }),
  DescribeTaskDefinition: () => ({ taskDefinition: { containerDefinitions: [] } }),
  GetMetricData: () => ({ MetricDataResults: [] }),
  DescribeScalableTargets: () => ({ ScalableTargets: [{ MinCapacity: 1, MaxCapacity: 7 }] }),
  DescribeScalingActivities: () => ({
    ScalingActivities: [
      {
        ActivityId: 'one',
        StartTime: at,
        StatusCode: 'Successful',
        Description: 'Setting desired count to 2.',
        Cause: `monitor alarm ${hostile} in state ALARM`,
      },
    ],
  }),
  'ExecuteCommand?': () => ({ allowed: true }),
  ExecuteCommand: () => ({
    session: {
      sessionId: 'session',
      // As another name of this installation has it.
      streamUrl: 'ws://registry.example:7500/exec/ws?session=session&cluster=000000000000%2Fdefault',
      tokenValue: 'first',
    },
  }),
};

describe.skipIf(missing !== undefined)('a terminal in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  test('is loaded when it is wanted, takes what is typed, and survives a connection', async () => {
    await using shell = new Shell();
    await using standIn = await StandIn.open({ ...usual, ResumeSession: () => ({ TokenValue: 'second' }) });
    standIn.upgrade = shell.upgrade;
    const { page, context, offences } = await standIn.page(browser);
    const scripts: string[] = [];
    page.on('request', (request) => {
      if (request.resourceType() === 'script') scripts.push(new URL(request.url()).pathname);
    });
    await page.goto(`${standIn.url}/console/#/services/default/web`);
    await page.getByRole('button', { name: 'Terminal in task aaaa' }).click();
    // Only where the agent of ECS Exec runs there is one.
    expect(await page.getByRole('button', { name: /^Terminal in/ }).count()).toBe(1);
    expect(scripts.filter((path) => path.includes('panel'))).toEqual([]);
    await page.getByRole('combobox', { name: 'Container' }).selectOption('proxy');
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.getByRole('button', { name: 'Open', exact: true }).click();
    const input = page.getByRole('textbox', { name: 'Input of the terminal in proxy' });
    await expect.poll(() => shell.sizes.length).toBeGreaterThan(0);
    expect(scripts.filter((path) => path.includes('panel'))).toHaveLength(1);
    shell.says(`\u001b[1;32m/ #\u001b[0m ${hostile} \u001b[38;5;208morange\u001b[0m`);
    const screen = page.getByRole('log', { name: 'Screen of the terminal' });
    await screen.getByText('orange').waitFor();
    // xterm.js takes sequences as what they are, and has no place for what turns a line around; what it keeps is shown by its number.
    await screen.getByText('<img src=x onerror=alert(1)>"><script>alert(2)</script>').waitFor();
    expect(await screen.textContent()).not.toContain('\u202e');
    shell.says(' npp\u061cexe');
    await screen.getByText('npp⟨61c⟩exe').waitFor();
    expect(await page.locator('main :is(img, script, iframe)').count()).toBe(0);
    await input.pressSequentially('ls -l');
    await input.press('Enter');
    await input.press('ArrowUp');
    await input.press('Control+c');
    await expect.poll(() => shell.typed).toBe('ls -l\r\u001b[A\u0003');
    // What programs ask of a terminal, it answers.
    shell.says('\u001b[6n');
    await expect.poll(() => shell.typed).toMatch(/\[\d+;\d+R$/);
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.screenshot({ path: join(pictures, 'terminal-light.png'), fullPage: true });

    // The first size may be the usual one, told before the page was laid out.
    const widest = Math.max(...shell.sizes.map(({ cols }) => cols));
    await page.setViewportSize({ width: 700, height: 900 });
    await expect.poll(() => shell.sizes.at(-1)?.cols).toBeLessThan(widest);

    shell.cut();
    shell.says('\r\nafter the cut');
    await screen.getByText('after the cut').waitFor();
    expect(shell.tokens).toEqual(['first', 'second']);

    // No trap for the keyboard.
    await input.press('Control+]');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('End the session');
    shell.exits(3);
    await page.getByText('It ended with exit code 3.').waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
    await screen.waitFor({ state: 'detached' });
    expect(offences.found).toEqual([]);
    await context.close();
  });

  test('ends where it is left while its connection is away', async () => {
    await using shell = new Shell();
    const back = Promise.withResolvers<object>();
    await using standIn = await StandIn.open({ ...usual, ResumeSession: () => back.promise });
    standIn.upgrade = shell.upgrade;
    const { page, context, offences } = await standIn.page(browser);
    await page.goto(`${standIn.url}/console/#/services/default/web`);
    await page.getByRole('button', { name: 'Terminal in task aaaa' }).click();
    await page.getByRole('button', { name: 'Open', exact: true }).click();
    await expect.poll(() => shell.sizes.length).toBeGreaterThan(0);
    shell.cut();
    await expect.poll(() => standIn.asked).toContain('ResumeSession');
    await page.getByRole('button', { name: 'End the session' }).click();
    await page.getByRole('log', { name: 'Screen of the terminal' }).waitFor({ state: 'detached' });
    back.resolve({ TokenValue: 'second' });
    await expect.poll(() => shell.terminated).toBe(true);
    await expect.poll(() => shell.connections).toBe(0);
    expect(offences.found).toEqual([]);
    await context.close();
  });

  test('ends with the page that it is on, and where it is refused it says why', async () => {
    await using shell = new Shell();
    await using standIn = await StandIn.open(usual);
    standIn.upgrade = shell.upgrade;
    const { page, context, offences } = await standIn.page(browser, { colorScheme: 'dark' });
    const open = async (): Promise<void> => {
      await page.goto(`${standIn.url}/console/#/services/default/web`);
      await page.getByRole('button', { name: 'Terminal in task aaaa' }).click();
      await page.getByRole('button', { name: 'Open', exact: true }).click();
    };
    await open();
    await expect.poll(() => shell.sizes.length).toBeGreaterThan(0);
    await page.getByRole('link', { name: 'Hosts' }).click();
    await expect.poll(() => shell.terminated).toBe(true);
    standIn.answers = { ...usual, ExecuteCommand: () => new Refused('ecs:ExecuteCommand') };
    await open();
    await page.getByText('You are not allowed to call ExecuteCommand').waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.screenshot({ path: join(pictures, 'terminal-refused-dark.png'), fullPage: true });
    const { 'ExecuteCommand?': _, ...readOnly } = usual;
    standIn.answers = readOnly;
    await page.reload();
    await page.getByText('aaaaaaaaaaaa').waitFor();
    // The page of a service says how it was scaled, too.
    await page.getByText('by itself, from 1 to 7 tasks').waitFor();
    await page.getByRole('table', { name: 'Scaling activities' }).getByText('Setting desired count to 2.').waitFor();
    expect(await page.locator('main :is(img, script, iframe)').count()).toBe(0);
    await expect.poll(() => standIn.asked.filter((one) => one === 'ExecuteCommand?').length).toBeGreaterThan(1);
    expect(await page.getByRole('button', { name: /^Terminal in/ }).count()).toBe(0);
    expect(offences.found).toEqual([]);
    await context.close();
  });
});
