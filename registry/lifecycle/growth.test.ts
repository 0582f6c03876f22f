import { withCounters } from '@slipway/storage/testing';
import { expect, test } from 'vitest';
import type { LifecycleImage } from './index.ts';

const { code, growth } = await withCounters(() => import('./index.ts'));

test('evaluation takes steps that grow as the number of images does', async () => {
  const now = 1_800_000_000_000;
  const images = Array.from({ length: 4000 }, (_, number): LifecycleImage => ({
    digest: String(number).padStart(6, '0'),
    tags: [`t${number % 20}-${number}`, `x${number}`],
    pushedAt: now - ((number * 2_654_435_761) % 2 ** 32),
    storageClass: 'standard',
    listed: false,
  }));
  const rules = Array.from({ length: 10 }, (_, number) => ({
    rulePriority: number + 1,
    selection: {
      tagStatus: 'tagged',
      tagPatternList: [`t${number}-*`, 'x*'],
      countType: 'imageCountMoreThan',
      countNumber: 10,
    },
    action: { type: 'expire' },
  }));
  const parsed = code.parseLifecyclePolicy(JSON.stringify({ rules }));
  const found = await growth((size) => code.evaluate(parsed, images.slice(0, size), now), 1000);
  expect(found).toBeGreaterThan(3);
  // Images are sorted, which is a little more than linear.
  expect(found).toBeLessThan(5);
});
