import { expect, test } from 'vitest';
import { settingsOf } from './balancer.ts';

const environment = {
  AWS_ENDPOINT_URL: 'https://slipway.example.com',
  AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'secret',
  XDG_STATE_HOME: '/state',
};

test('a host is known by its name, and its server by the environment', async () => {
  const { credentials, data, ...settings } = settingsOf({ engine: 'auto' }, environment, 'edge-1.example.com');
  expect(settings).toEqual({
    server: 'https://slipway.example.com',
    region: 'us-east-1',
    name: 'edge-1.example.com',
    engine: 'auto',
  });
  expect(data.endsWith('/slipway/balancer')).toBe(true);
  expect(await credentials()).toEqual({ accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'secret' });
});

test('options come before the environment', () => {
  const flags = { engine: 'haproxy', name: 'b', endpoint: 'http://10.0.0.1:7500', data: '/srv/lb' };
  expect(settingsOf(flags, { ...environment, AWS_REGION: 'eu-west-1' }, 'a')).toMatchObject({
    server: 'http://10.0.0.1:7500',
    region: 'eu-west-1',
    name: 'b',
    engine: 'haproxy',
    data: '/srv/lb',
  });
});

test.each([
  [{ engine: 'nginx' }, {}, '--engine nginx: name one of auto, haproxy, embedded'],
  [{ engine: 'auto', name: '../x' }, {}, '--name ../x: name it by letters'],
  [{ engine: 'auto', name: '' }, {}, '--name : name it by letters'],
  [{ engine: 'auto' }, { AWS_ENDPOINT_URL: '' }, 'name the server with --endpoint'],
  [{ engine: 'auto', endpoint: 'ftp://x' }, {}, 'ftp://x is not the address of a server'],
  [
    { engine: 'auto', name: 'a' },
    { AWS_SECRET_ACCESS_KEY: '' },
    'of a principal with slipway:CarryTraffic on arn:aws:elasticloadbalancing:*:*:engine/a',
  ],
])('%j with %j is refused, with what to do', (flags, more, message) => {
  expect(() => settingsOf(flags, { ...environment, ...more }, 'host')).toThrow(message);
});

test('a host name that cannot be the name is said to be one', () => {
  expect(() => settingsOf({ engine: 'auto' }, environment, 'my_host')).toThrow(
    'the host name my_host cannot be the name: name it by',
  );
});
