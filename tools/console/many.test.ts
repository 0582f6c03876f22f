import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accessibilityProblems, missingBrowser, openBrowser } from '../testbed/browser.ts';
import { clusterOf, serviceOf } from './testing/made-up.ts';
import { StandIn } from './testing/stand-in.ts';

const missing = missingBrowser();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const pictures = process.env['SLIPWAY_TEST_PICTURES'] ?? join(tmpdir(), 'slipway-console-pictures');
mkdirSync(pictures, { recursive: true });

/** 1,000 services of ten tasks. */
const services = Array.from({ length: 1000 }, (_, i) => serviceOf(`service-${String(i).padStart(4, '0')}`, 10));
const nodes = (page: Page): Promise<number> => page.evaluate('document.querySelectorAll("*").length');

/** Marks the rows that are there; gives how many of those that are there later are others. */
const mark = (page: Page): Promise<unknown> =>
  page.evaluate("document.querySelectorAll('tbody tr').forEach((row) => (row.kept = true))");
const others = (page: Page): Promise<number> =>
  page.evaluate("[...document.querySelectorAll('tbody tr')].filter((row) => row.kept !== true).length");

describe.skipIf(missing !== undefined)('1,000 services with 10,000 tasks in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  test('are a page of few nodes, which follows what is in sight, and changes no more than what changed', async () => {
    await using standIn = await StandIn.open(clusterOf(services));
    const { page, context, offences } = await standIn.page(browser);
    await page.goto(`${standIn.url}/console/#/`);
    const table = page.getByRole('table', { name: 'Services' });
    await table.getByText('service-0000').first().waitFor();
    await page.getByText('10,000', { exact: true }).waitFor();
    expect(await table.getAttribute('aria-rowcount')).toBe('1001');
    // Whole, the table alone would have more than 15,000 of them.
    expect(await nodes(page)).toBeLessThan(2500);
    expect(await accessibilityProblems(page)).toEqual([]);

    await page.evaluate('document.querySelector("table tbody tr:last-child").scrollIntoView({ block: "end" })');
    await table.getByText('service-0999').first().waitFor();
    await expect.poll(() => table.getByText('service-0000').count()).toBe(0);
    expect(await nodes(page)).toBeLessThan(2500);
    await page.screenshot({ path: join(pictures, 'many-services.png') });

    await page.evaluate('scrollTo(0, 0)');
    await table.getByText('service-0000').first().waitFor();
    await page.getByLabel('Find a service').fill('0777');
    await expect.poll(() => table.locator('tbody tr').count()).toBe(1);
    await page.getByLabel('Find a service').fill('');
    await table.getByText('service-0000').first().waitFor();

    // One task of one service less: rows are changed where they stand, and none is made anew.
    await mark(page);
    const first = { ...services[0], runningCount: 9 };
    standIn.answers = clusterOf([first, ...services.slice(1)]);
    await table.getByText('9 / 10').waitFor();
    expect(await others(page)).toBe(0);
    expect(offences.found).toEqual([]);
    await context.close();
  });
});
