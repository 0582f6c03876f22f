import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accessibilityProblems, missingBrowser, openBrowser } from '../testbed/browser.ts';
import { clusterOf, hostile } from './testing/made-up.ts';
import { StandIn } from './testing/stand-in.ts';

const missing = missingBrowser();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const pictures = process.env['SLIPWAY_TEST_PICTURES'] ?? join(tmpdir(), 'slipway-console-pictures');
mkdirSync(pictures, { recursive: true });

describe.skipIf(missing !== undefined)('signing in by OpenID Connect in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  test('leaves for the provider, comes back signed in, and leaves nothing in the address; what was not begun here is nothing', async () => {
    await using standIn = await StandIn.open(clusterOf([]));
    const signedIn: unknown[] = [];
    standIn.answers = {
      ...clusterOf([]),
      'GET /console/oidc': () => ({ name: `Example ${hostile}` }),
      // It leads back at once: the provider's own pages are none of ours.
      'POST /console/oidc': () => ({ url: `${standIn.url}/console/?state=of-it&code=once&iss=x`, begun: 'sealed' }),
      'POST /console/session': (input: object) => {
        signedIn.push(input);
        return { arn: 'arn:aws:sts::1:assumed-role/operators/alice', account: '1', region: 'r', proof: 'proof' };
      },
    };
    const { page, context, offences } = await standIn.page(browser, { signedOut: true });
    await page.goto(`${standIn.url}/console/`);
    const leave = page.getByRole('button', { name: /^Sign in with Example <img/ });
    await leave.waitFor();
    expect(await page.locator('main :is(img, script, iframe)').count()).toBe(0);
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.screenshot({ path: join(pictures, 'sign-in-light.png'), fullPage: true });
    await leave.press('Enter');
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    expect(page.url()).toBe(`${standIn.url}/console/#/`);
    expect(signedIn).toEqual([{ oidc: { state: 'of-it', code: 'once', begun: 'sealed' } }]);
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
    await page.getByRole('button', { name: 'Sign out' }).press('Enter');
    await page.getByText('You are signed out.').waitFor();

    // A link of somebody else's, with a code of theirs.
    await page.goto(`${standIn.url}/console/?state=theirs&code=theirs`);
    await page.getByText('This sign-in was not begun in this tab.').waitFor();
    expect(page.url()).toBe(`${standIn.url}/console/#/`);
    expect(signedIn).toHaveLength(1);
    await page.evaluate("sessionStorage.setItem('slipway-oidc', 'sealed')");
    await page.goto(`${standIn.url}/console/?state=of-it&error=${encodeURIComponent(`denied ${hostile}`)}`);
    await page.getByText('The identity provider does not sign you in: denied <img').waitFor();
    expect(signedIn).toHaveLength(1);
    expect(offences.found).toEqual([]);
    await context.close();
  });
});
