import { expect, test } from 'vitest';
import type { AppService } from './model.ts';
import { roleArn } from './secrets.ts';

const service = (name: string, secrets: Record<string, string> = { DB: 'prod/db' }): AppService => ({
  name,
  line: 1,
  volumes: [],
  healthPath: '/',
  publish: [],
  containers: [{ source: { kind: 'image', image: 'web:1' }, secrets, definition: { name: 'web' } }],
});
const nameOf = (cluster: string, name: string): string =>
  /^arn:aws:iam::000000000000:role\/(.*)$/.exec(roleArn('000000000000', cluster, service(name)) ?? '')?.[1] ?? '';

test('what reads the secrets of a service reads none of the service of its name in another cluster', () => {
  const clusters = ['default', 'prod', 'staging', `a${'b'.repeat(254)}`, `a${'b'.repeat(253)}c`];
  const services = ['shop-web', 'shop-web-prod', `shop-${'x'.repeat(48)}`];
  const names = clusters.flatMap((cluster) => services.map((name) => nameOf(cluster, name)));
  expect(names.slice(0, 4)).toEqual([
    'slipway-up-shop-web',
    'slipway-up-shop-web-prod',
    `slipway-up-shop-${'x'.repeat(48)}`,
    'slipway-up-shop-web@prod',
  ]);
  expect(new Set(names).size).toBe(names.length);
  // What IAM takes as the name of a role.
  for (const name of names) expect(name).toMatch(/^[\w+=,.@-]{1,64}$/);
  expect(nameOf('arn:aws:ecs:us-east-1:000000000000:cluster/prod', 'shop-web')).toBe(nameOf('prod', 'shop-web'));
});

test('a service without secrets has no role of its own', () => {
  expect(roleArn('000000000000', 'default', service('shop-web', {}))).toBeUndefined();
});
