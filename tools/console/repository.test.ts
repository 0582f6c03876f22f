import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accessibilityProblems, missingBrowser, openBrowser } from '../testbed/browser.ts';
import { at, clusterOf, hostile, serviceOf } from './testing/made-up.ts';
import { type Answers, Refused, StandIn } from './testing/stand-in.ts';

const missing = missingBrowser();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const pictures = process.env['SLIPWAY_TEST_PICTURES'] ?? join(tmpdir(), 'slipway-console-pictures');
mkdirSync(pictures, { recursive: true });

const digestOf = (letter: string): string => `sha256:${letter.repeat(64)}`;
const [newest, older, index] = ['a', 'b', 'c'].map(digestOf) as [string, string, string];
const layer = (letter: string, size: number): object => ({ digest: digestOf(letter), size });
const manifests: Readonly<Record<string, object>> = {
  [newest]: { layers: [layer('1', 5_000_000), layer('2', 1_000_000)] },
  [older]: { layers: [layer('1', 5_000_000), layer('3', 2_000_000)] },
  [index]: { manifests: [{ digest: newest, platform: { os: hostile, architecture: 'arm64', variant: 'v8' } }] },
};
const policy = '{"rules":[{"rulePriority":7}]}';
const usual: Answers = {
  ...clusterOf([serviceOf('web')]),
  DescribeTaskDefinition: () => ({ taskDefinition: { containerDefinitions: [] } }),
  DescribeRepositories: () => ({ repositories: [{ repositoryName: 'web', repositoryUri: '127.0.0.1:7500/web' }] }),
  DescribeImages: () => ({
    imageDetails: Object.keys(manifests).map((imageDigest, i) => ({
      imageDigest,
      imageTags: i === 0 ? ['prod', hostile] : [],
      imagePushedAt: at - i * 60,
      lastRecordedPullTime: at,
      imageSizeInBytes: 6_000_000,
    })),
  }),
  BatchGetImage: ({ imageIds }: { readonly imageIds: readonly { readonly imageDigest: string }[] }) => ({
    images: imageIds.map(({ imageDigest }) => ({
      imageId: { imageDigest },
      imageManifest: JSON.stringify(manifests[imageDigest]),
    })),
  }),
  ListImageReferrers: ({ subjectId }: { readonly subjectId: { readonly imageDigest: string } }) => ({
    referrers:
      subjectId.imageDigest !== newest
        ? []
        : [
            { digest: digestOf('d'), artifactType: 'application/spdx+json', size: 20_000, annotations: {} },
            {
              digest: digestOf('e'),
              artifactType: 'application/vnd.cncf.notary.signature',
              size: 700,
              annotations: { [hostile]: hostile },
            },
          ],
  }),
  GetLifecyclePolicy: () => ({ lifecyclePolicyText: policy }),
};
const allowed: Answers = {
  'StartLifecyclePolicyPreview?': () => ({ allowed: true }),
  'PutLifecyclePolicy?': () => ({ allowed: true }),
};

describe.skipIf(missing !== undefined)('a repository in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  test('shows what an image is made of and what refers to it', async () => {
    await using standIn = await StandIn.open({ ...usual, ...allowed });
    const { page, context, offences } = await standIn.page(browser);
    await page.goto(`${standIn.url}/console/#/repositories/web`);
    await page.getByRole('button', { name: 'Look into aaaa' }).click();
    const referrers = page.getByRole('table', { name: 'What refers to the image' });
    for (const kind of ['SBOM', 'Signature']) await referrers.getByText(kind, { exact: true }).waitFor();
    const layers = page.getByRole('table', { name: 'Layers, the lowest first' });
    await layers.getByText('1 other image', { exact: true }).waitFor();
    await layers.getByText('no other').waitFor();
    await page.getByText('4.8 MiB of 5.7 MiB are in other images too, of 3 images that were compared').waitFor();
    expect(await page.locator('main :is(img, script, iframe)').count()).toBe(0);
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.screenshot({ path: join(pictures, 'repository-image-light.png'), fullPage: true });
    await page.getByRole('button', { name: 'Look into cccc' }).click();
    await page.getByRole('table', { name: 'Images of the index' }).getByText('/arm64/v8').waitFor();
    await page.getByText('Nothing refers to it').waitFor();
    expect(offences.found).toEqual([]);
    await context.close();
  });

  test('shows what a policy would remove before it is put in place, and what is wrong with one', async () => {
    const policies: string[] = [];
    let polls = 0;
    const slow = Promise.withResolvers<void>();
    await using standIn = await StandIn.open({
      ...usual,
      ...allowed,
      StartLifecyclePolicyPreview: ({ lifecyclePolicyText }: { readonly lifecyclePolicyText: string }) => {
        policies.push(lifecyclePolicyText);
        if (lifecyclePolicyText.includes('slow')) return slow.promise.then(() => ({}));
        return lifecyclePolicyText.includes('wrong') ? new Refused('ecr:StartLifecyclePolicyPreview') : {};
      },
      GetLifecyclePolicyPreview: () =>
        ++polls === 1
          ? { status: 'IN_PROGRESS' }
          : {
              status: 'COMPLETE',
              previewResults: [{ imageDigest: older, imageTags: [hostile], imagePushedAt: at, appliedRulePriority: 7 }],
            },
      PutLifecyclePolicy: ({ lifecyclePolicyText }: { readonly lifecyclePolicyText: string }) => {
        policies.push(lifecyclePolicyText);
        return {};
      },
    });
    const { page, context, offences } = await standIn.page(browser, { colorScheme: 'dark' });
    await page.goto(`${standIn.url}/console/#/repositories/web`);
    const show = page.getByRole('button', { name: 'Show what it would remove' });
    await show.press('Enter');
    await page.getByText('It would remove 1 image now:').waitFor();
    await page.getByRole('table', { name: 'Images that the policy would remove' }).getByText('bbbbbbbbbbbb').waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.screenshot({ path: join(pictures, 'lifecycle-dark.png'), fullPage: true });
    // Nothing is put in place that is there already.
    expect(await page.getByRole('button', { name: 'Put in place' }).count()).toBe(0);
    await page.getByLabel('Policy').fill('{"wrong": true}');
    // What another policy removes is not known any more.
    await page.getByText('It would remove 1 image now:').waitFor({ state: 'detached' });
    await show.press('Enter');
    await page.getByText('You are not allowed to call StartLifecyclePolicyPreview').waitFor();
    // What is answered about a policy that stands there no more is not told of the one that does.
    await page.getByLabel('Policy').fill('{"slow": true}');
    await show.press('Enter');
    await expect.poll(() => policies.length).toBe(3);
    await page.getByLabel('Policy').fill('{"rules": [7]}');
    slow.resolve();
    await expect.poll(() => show.isEnabled()).toBe(true);
    expect(await page.getByText('It would remove 1 image now:').count()).toBe(0);
    await page.getByLabel('Policy').fill('{"rules":[]}');
    await page.getByRole('button', { name: 'Put in place' }).press('Enter');
    const dialog = page.getByRole('dialog');
    await dialog.getByText('What it removes has not been looked at.').waitFor();
    await dialog.getByRole('button', { name: 'Put in place' }).press('Enter');
    await dialog.waitFor({ state: 'detached' });
    expect(policies.map((text) => JSON.parse(text) as object)).toEqual([
      JSON.parse(policy),
      { wrong: true },
      { slow: true },
      { rules: [] },
    ]);
    expect(offences.found).toEqual([]);
    await context.close();
  });

  test('who may only read sees the policy and changes nothing; what is refused is left out', async () => {
    await using standIn = await StandIn.open({
      ...usual,
      BatchGetImage: () => new Refused('ecr:BatchGetImage'),
      ListImageReferrers: () => new Refused('ecr:ListImageReferrers'),
    });
    const { page, context, offences } = await standIn.page(browser, { width: 390 });
    await page.goto(`${standIn.url}/console/#/repositories/web`);
    await page.getByRole('button', { name: 'Look into aaaa' }).click();
    await page.getByText('Its manifest names no layers, or is not shown to you').waitFor();
    const asks = ['StartLifecyclePolicyPreview?', 'PutLifecyclePolicy?'];
    await expect.poll(() => asks.every((one) => standIn.asked.includes(one))).toBe(true);
    expect(await page.getByRole('button', { name: /^(?:Show what|Put in place|Write one)/ }).count()).toBe(0);
    expect(await page.getByLabel('Policy').getAttribute('readonly')).not.toBeNull();
    expect(await accessibilityProblems(page)).toEqual([]);
    expect(offences.found).toEqual([]);
    await context.close();
  });
});
