import { expect, test } from 'vitest';

import { secretNeeds } from './secret-needs.ts';

test("a log router's configuration in a bucket is read", () => {
  const value = 'arn:aws:s3:::settings/extra.conf';
  const router = (options: object) =>
    secretNeeds({
      containerDefinitions: [{ name: 'router', firelensConfiguration: { type: 'fluentbit', options } }],
    } as never);
  expect(router({ 'config-file-type': 's3', 'config-file-value': value })).toEqual([
    { container: 'router', kind: 'router', name: '', valueFrom: value },
  ]);
  expect(router({ 'config-file-type': 'file', 'config-file-value': '/extra.conf' })).toEqual([]);
});

test('files of variables come with what the container has otherwise', () => {
  const value = 'arn:aws:s3:::shop/web.env';
  const containerDefinitions = [
    {
      name: 'web',
      environment: [{ name: 'A', value: '1' }],
      secrets: [{ name: 'B', valueFrom: 'b' }],
      environmentFiles: [{ type: 's3' as const, value }],
    },
  ];
  expect(secretNeeds({ containerDefinitions } as never)).toEqual([
    { container: 'web', kind: 'file', name: '', valueFrom: value, taken: ['A', 'B'] },
    { container: 'web', kind: 'environment', name: 'B', valueFrom: 'b' },
  ]);
});
