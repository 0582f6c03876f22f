import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accessibilityProblems, missingBrowser, openBrowser } from '../testbed/browser.ts';
import { type Answers, Failed, StandIn } from './testing/stand-in.ts';

const missing = missingBrowser();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const pictures = process.env['SLIPWAY_TEST_PICTURES'] ?? join(tmpdir(), 'slipway-console-pictures');
mkdirSync(pictures, { recursive: true });

/** Every page, by its name in pictures: its address, and what stands above it. */
const pages: Readonly<Record<string, readonly [address: string, heading: string]>> = {
  overview: ['', 'Overview'],
  service: ['services/default/web', 'web'],
  deployments: ['deployments', 'Deployments'],
  hosts: ['hosts', 'Hosts'],
  balancers: ['balancers', 'Load balancers'],
  repositories: ['repositories', 'Repositories'],
  repository: ['repositories/shop', 'shop'],
  dashboards: ['dashboards', 'Dashboards'],
  dashboard: ['dashboards/numbers', 'numbers'],
  events: ['events', 'Events'],
  identity: ['identity', 'Identity'],
  user: ['identity/user/ci', 'ci'],
  policy: [`identity/policy/${encodeURIComponent('arn:aws:iam::000000000000:policy/deploy')}`, 'deploy'],
  health: ['health', 'Health and settings'],
};

/** Goes through all pages, and writes pictures of each in light and dark. @param look what must be so of each */
async function through(page: Page, url: string, state: string, look: (name: string) => Promise<void>): Promise<void> {
  for (const [name, [address, heading]] of Object.entries(pages)) {
    await page.goto(`${url}/console/#/${address}`);
    await page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor();
    await expect.poll(() => page.locator('main .loading').count(), { message: name }).toBe(0);
    await look(name);
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(pictures, `${name}-${state}-${colorScheme}.png`), fullPage: true });
    }
  }
}

describe.skipIf(missing !== undefined)('every page in a browser', { timeout: 600_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  test('says that there is nothing yet, where an answer has nothing in it', async () => {
    const nothing: Answers = { '*': () => ({}), 'GET /readyz': () => ({ status: 'ok', parts: {} }) };
    await using standIn = await StandIn.open(nothing);
    const { page, context, offences } = await standIn.page(browser);
    await through(page, standIn.url, 'empty', async (name) => {
      expect([name, await accessibilityProblems(page)]).toEqual([name, []]);
    });
    expect(offences.found).toEqual([]);
    await context.close();
  });

  test.each(['store', 'server'] as const)('says, when the %s is gone, which it is', async (gone) => {
    await using standIn = await StandIn.open({
      '*': (_input, request) => {
        if (gone === 'server') request.socket.destroy();
        return new Failed('ServiceUnavailable', 'The service is unavailable; try again.', 503);
      },
    });
    const expected = /^Failed to load resource: (?:the server responded with a status of (?:400|404|503)|net::ERR_)/;
    const { page, context, offences } = await standIn.page(browser, { expected });
    const problems: string[] = [];
    await through(page, standIn.url, `${gone}-gone`, async (name) => {
      const said = gone === 'store' ? 'The service is unavailable; try again.' : 'The server does not answer';
      await page.locator('.refusal').getByText(said).first().waitFor();
      // What is still there is as it must be for everybody, also then.
      if (['overview', 'identity', 'health'].includes(name)) problems.push(...(await accessibilityProblems(page)));
    });
    expect(problems).toEqual([]);
    expect(offences.found).toEqual([]);
    await context.close();
  });
});
