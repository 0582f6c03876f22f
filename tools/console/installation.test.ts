import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accessibilityProblems, missingBrowser, openBrowser } from '../testbed/browser.ts';
import { arnOf, at, clusterOf, hostile } from './testing/made-up.ts';
import { type Answers, Refused, StandIn } from './testing/stand-in.ts';

const missing = missingBrowser();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const pictures = process.env['SLIPWAY_TEST_PICTURES'] ?? join(tmpdir(), 'slipway-console-pictures');
mkdirSync(pictures, { recursive: true });

const hosts = ['0.1.0', '0.2.0', hostile].map((agentVersion, i) => ({
  containerInstanceArn: arnOf('container-instance', 'default', String(i).repeat(32)),
  ec2InstanceId: `i-${i}`,
  status: 'ACTIVE',
  agentConnected: i !== 2,
  versionInfo: { agentVersion, dockerVersion: `DockerVersion: 28.${i}` },
}));
const engine = (id: string, state: string, reason?: string): object => ({
  id,
  kind: 'embedded',
  state,
  seenAt: new Date(at * 1000).toISOString(),
  ...(reason === undefined ? {} : { reason }),
});
const usual: Answers = {
  ...clusterOf([]),
  'GET /readyz': () => ({ status: 'ok', parts: { records: 'ok' } }),
  ListContainerInstances: () => ({ containerInstanceArns: hosts.map((one) => one.containerInstanceArn) }),
  DescribeContainerInstances: () => ({ containerInstances: hosts }),
  'GET /slipway/load-balancers/': () => ({ loadBalancers: [{ name: 'web' }, { name: 'api' }] }),
  'GET /slipway/load-balancers/web': () => ({ engines: [engine('one', 'current'), engine('two', 'current')] }),
  'GET /slipway/load-balancers/api': () => ({ engines: [engine('one', 'current'), engine('two', 'refuses', hostile)] }),
  ListCertificates: () => ({
    CertificateSummaryList: [{ DomainName: `${hostile}.example`, Status: 'ISSUED', NotAfter: at + 40 * 86_400 }],
  }),
  ListServerCertificates: () => ({
    ServerCertificateMetadataList: [{ ServerCertificateName: 'uploaded', Expiration: at + 3 * 86_400 }],
  }),
  GetRegistryScanningConfiguration: () => ({
    scanningConfiguration: {
      scanType: 'ENHANCED',
      rules: [{ scanFrequency: 'CONTINUOUS_SCAN', repositoryFilters: [{ filter: `prod*${hostile}` }] }],
    },
  }),
  ListAccountSettings: () => ({ settings: [{ name: 'containerInsights', value: 'enabled' }] }),
};

describe.skipIf(missing !== undefined)('health and settings in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  test.each(['light', 'dark'] as const)('show each part with what is wrong of it, in %s', async (colorScheme) => {
    await using standIn = await StandIn.open(usual);
    const { page, context, offences } = await standIn.page(browser, { colorScheme });
    await page.goto(`${standIn.url}/console/#/health`);
    for (const words of ['Behind other hosts', 'Refuses what it is told', 'runs out in days', 'Not connected'])
      await page.getByText(words, { exact: true }).waitFor();
    await page.getByText('containerInsights').waitFor();
    await page.getByText('Record store').waitFor();
    // The worst of an engine is told, once.
    expect(await page.getByRole('table', { name: 'Engines of load balancers' }).locator('tbody tr').count()).toBe(2);
    expect(await page.locator('main :is(img, script, iframe)').count()).toBe(0);
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.screenshot({ path: join(pictures, `health-${colorScheme}.png`), fullPage: true });
    expect(offences.found).toEqual([]);
    await context.close();
  });

  test('each part that is refused says so by itself; of nothing it is said what would be there', async () => {
    await using standIn = await StandIn.open({
      ...usual,
      ListContainerInstances: () => ({ containerInstanceArns: [] }),
      'GET /slipway/load-balancers/': () => ({ loadBalancers: [] }),
      ListCertificates: () => new Refused('acm:ListCertificates'),
      ListAccountSettings: () => new Refused('ecs:ListAccountSettings'),
    });
    const { page, context, offences } = await standIn.page(browser, { width: 390 });
    await page.goto(`${standIn.url}/console/#/health`);
    await page.getByText('You are not allowed to call ListCertificates').waitFor();
    await page.getByText('You are not allowed to call ListAccountSettings').waitFor();
    await page.getByText('There is no host yet').waitFor();
    await page.getByText('There is no load balancer yet').waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.screenshot({ path: join(pictures, 'health-refused-phone.png'), fullPage: true });
    expect(offences.found).toEqual([]);
    await context.close();
  });
});
