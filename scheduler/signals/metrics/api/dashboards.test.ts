import { describe, expect, test } from 'vitest';

import { openCloudWatch } from '../testing/open-cloudwatch.ts';

const body = JSON.stringify({ widgets: [{ type: 'text', properties: { markdown: 'hi' } }] });
const arn = (name: string): string => `arn:aws:cloudwatch::000000000000:dashboard/${name}`;

describe('dashboards', () => {
  test('are kept, given back as they are, listed by prefix, and deleted all or none', async () => {
    const { call, refusal, clock } = openCloudWatch();
    for (const DashboardName of ['web', 'web-2', 'api'])
      expect(await call('PutDashboard', { DashboardName, DashboardBody: body })).toEqual({
        DashboardValidationMessages: [],
      });
    expect(await call('GetDashboard', { DashboardName: 'web' })).toEqual({
      DashboardArn: arn('web'),
      DashboardBody: body,
      DashboardName: 'web',
    });
    const { DashboardEntries } = await call('ListDashboards', { DashboardNamePrefix: 'web' });
    const entry = { LastModified: clock.at / 1000, Size: body.length };
    expect(DashboardEntries).toEqual([
      { DashboardName: 'web', DashboardArn: arn('web'), ...entry },
      { DashboardName: 'web-2', DashboardArn: arn('web-2'), ...entry },
    ]);
    const missing = 'DashboardNotFoundError: Dashboard gone does not exist';
    expect(await refusal('DeleteDashboards', { DashboardNames: ['web', 'gone'] })).toBe(missing);
    await call('DeleteDashboards', { DashboardNames: ['web', 'web-2'] });
    expect(await refusal('GetDashboard', { DashboardName: 'gone' })).toBe(missing);
    expect((await call('ListDashboards', {})).DashboardEntries).toHaveLength(1);
  });

  test.each([
    ['a b', body, 'The value a b for field dashboardName is invalid'],
    ['a', '{', 'must be a valid JSON object'],
    ['a', '[]', 'must be a valid JSON object'],
    ['a', '{"widgets":{}}', '/widgets: Should be an array'],
    ['a', '{"widgets":[{}]}', '/widgets/0/type: Should be a string'],
    ['a', JSON.stringify({ x: 'x'.repeat(1024 * 1024) }), 'at most 1048576 characters'],
  ])('of the name %j and with such a body are refused', async (DashboardName, DashboardBody, sentence) => {
    const { refusal } = openCloudWatch();
    const said = await refusal('PutDashboard', { DashboardName, DashboardBody });
    expect(said).toContain('DashboardInvalidInputError: The dashboard is invalid: ');
    expect(said).toContain(sentence);
  });

  test('that are large are no more than have room together', async () => {
    const { call, refusal } = openCloudWatch();
    const DashboardBody = JSON.stringify({ x: 'x'.repeat(1024 * 1024 - 8) });
    for (let count = 0; count < 17; count++)
      await call('PutDashboard', { DashboardName: `large-${count}`, DashboardBody });
    const more = { DashboardName: 'small', DashboardBody: body };
    expect(await refusal('PutDashboard', more)).toContain(
      'LimitExceededFault: The account has 500 dashboards, or such as',
    );
    await call('PutDashboard', { ...more, DashboardName: 'large-0' });
    await call('DeleteDashboards', { DashboardNames: ['large-1', 'large-2'] });
    await call('PutDashboard', more);
    expect((await call('ListDashboards', {})).DashboardEntries).toHaveLength(16);
  });

  test('are asked for by their ARNs, which are of no region', async () => {
    const { access } = openCloudWatch();
    expect(await access('DeleteDashboards', { DashboardNames: ['a', 'b'] })).toMatchObject([
      { action: 'cloudwatch:DeleteDashboards', resources: [{ arn: arn('a') }, { arn: arn('b') }] },
    ]);
    expect(await access('PutDashboard', { DashboardName: 'a', DashboardBody: '' })).toMatchObject([
      { action: 'cloudwatch:PutDashboard', resources: [{ arn: arn('a') }] },
    ]);
  });
});
