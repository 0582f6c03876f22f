import { expect, test } from 'vitest';

import { secretNeeds } from './secret-needs.ts';

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
