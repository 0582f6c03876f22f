import { expect, test } from 'vitest';

import { taskSchema } from '../wire/index.ts';
import { RoleKeys } from './endpoint/index.ts';
import { LoginRefused, RegistryLogins } from './logins.ts';
import type { ResolvedOptions } from './options.ts';
import { agentReach } from './policy.ts';
import { SecretValues } from './secret-values.ts';

test('an image with a login of its own is pulled with that one, and shares its pull with nobody', async () => {
  const reach = agentReach({
    allow: {},
    ownRegistries: [],
    endpoint: 'http://127.0.0.1:7500',
    resolve: () => Promise.resolve(['93.184.215.14']),
  });
  const secrets = new SecretValues();
  const logins = new RegistryLogins({} as ResolvedOptions, new RoleKeys(), secrets, reach);
  const registryAuthentication = { type: 'asm', asmAuthData: { credentialsParameter: 'arn' } };
  const task = taskSchema.parse({
    arn: 'arn:one',
    desiredStatus: 'RUNNING',
    containers: ['ghcr.io/team/web:1', 'team/web:1', 'registry.example.com:5000/web'].map((image, index) => ({
      name: `c${index}`,
      image,
      registryAuthentication,
    })),
  });
  const rights = task.containers.map((container) => logins.rights(task, container));
  await expect(rights[0]?.login()).rejects.toBeInstanceOf(LoginRefused);
  const registry = { username: 'ada', password: 'pass' };
  const values = { environment: {}, logOptions: {}, registry };
  secrets.learn(task.arn, { c0: values, c1: values, c2: values });
  expect(await Promise.all(rights.map((right) => right.login()))).toEqual([
    { ...registry, serveraddress: 'ghcr.io' },
    { ...registry, serveraddress: 'https://index.docker.io/v1/' },
    { ...registry, serveraddress: 'registry.example.com:5000' },
  ]);
  expect(rights.map(({ of, own }) => [of, own])).toEqual([
    ['arn:one c0', false],
    ['arn:one c1', false],
    ['arn:one c2', false],
  ]);
  secrets.forget(task.arn);
  await expect(rights[0]?.login()).rejects.toBeInstanceOf(LoginRefused);
});

test('the values that came first stay; whoever waits for them hears of the end of the task', async () => {
  const secrets = new SecretValues();
  const waiting = secrets.wait('arn:one');
  const values = (text: string) => ({ web: { environment: { A: text }, logOptions: {} } });
  secrets.learn('arn:one', values('first'));
  await waiting;
  secrets.learn('arn:one', values('second'));
  expect([secrets.of('arn:one', 'web').environment, secrets.of('arn:one', 'constructor').environment]).toEqual([
    { A: 'first' },
    {},
  ]);
  const never = secrets.wait('arn:two');
  secrets.forget('arn:two');
  await expect(never).rejects.toThrow('the task was over before');
});
