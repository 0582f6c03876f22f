import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
// Playwright's library without its own downloads: it drives the browser of the distribution, as users have one.
import { type Browser, chromium, type Page } from 'playwright-core';

const executablePath = '/usr/bin/chromium';

/** Why pages cannot be looked at here; undefined when there is a browser. */
export const missingBrowser = (): string | undefined =>
  existsSync(executablePath) ? undefined : `there is no ${executablePath} (package chromium)`;

/** A browser that speaks with nobody but the pages it is sent to; its profile is new, and gone when it is closed. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath,
    // A busy machine is slow: what is waited for is waited for long.
    timeout: 120_000,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** What a page must never do: it is collected, and a test expects that there is nothing. */
export interface Offences {
  /** Violations of the Content-Security-Policy, errors that nobody caught, and whatever was loaded from elsewhere. */
  readonly found: readonly string[];
}

/** The browser breaks off what it loads when any link of the machine comes or goes, as those of other tests' containers do. */
const networkChanged = 'net::ERR_NETWORK_CHANGED';

/** Watches a page. @param allowed errors of the console that a test brings about itself */
export function watchPage(page: Page, origin: string, allowed: RegExp = /^$/): Offences {
  const found: string[] = [];
  page.on('pageerror', (error) => found.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() !== 'error' || allowed.test(message.text()) || message.text().endsWith(networkChanged)) return;
    found.push(`console: ${message.text()}`);
  });
  page.on('requestfailed', (request) => {
    const { errorText } = request.failure() ?? {};
    if (errorText !== networkChanged || !['script', 'stylesheet'].includes(request.resourceType())) return;
    // What a page is made of is loaded once, and all else by the page itself again.
    page
      .waitForLoadState()
      .then(() => page.reload())
      .catch(() => undefined);
  });
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) found.push(`request: ${request.url()}`);
  });
  page.on('dialog', (dialog) => {
    found.push(`dialog: ${dialog.message()}`);
    dialog.dismiss().catch(() => undefined);
  });
  return { found };
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe finds wrong with a page for people who do not see it, or use no mouse: the serious and the critical. */
export async function accessibilityProblems(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: {
        run(): Promise<{
          violations: { id: string; impact: string; nodes: { target: string[]; failureSummary: string }[] }[];
        }>;
      };
    };
    const { violations } = await axe.run();
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) =>
        nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary}`),
      );
  });
}
