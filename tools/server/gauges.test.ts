import { Registry } from '@prometheus-io/client';
import { expect, test } from 'vitest';
import { registerGauges } from './gauges.ts';

test('a gauge is read when somebody asks, and forgets what is gone', async () => {
  const registry = new Registry();
  let found = [
    { labels: { repository: 'a' }, value: 1 },
    { labels: { repository: 'b' }, value: 2 },
  ];
  registerGauges(registry, [
    { name: 'images', help: 'Images', labels: ['repository'], read: async () => found },
    { name: 'uploads', help: 'Uploads', labels: [], read: async () => [{ labels: {}, value: 7 }] },
  ]);
  expect(await registry.metrics()).toContain('images{repository="b"} 2');
  found = [{ labels: { repository: 'a' }, value: 3 }];
  const text = await registry.metrics();
  expect(text).toContain('images{repository="a"} 3');
  expect(text).not.toContain('repository="b"');
  expect(text).toMatch(/^uploads 7$/m);
});
