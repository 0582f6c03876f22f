import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ConfigError, isLoopback, readConfig, settings } from './config.ts';

test('nothing set gives the embedded default', () => {
  expect(readConfig({})).toMatchObject({
    host: '127.0.0.1',
    port: 7500,
    account: '000000000000',
    region: 'us-east-1',
    records: { type: 'sqlite' },
    blobs: { type: 'filesystem' },
    agent: 'auto',
  });
});

test('all problems are reported together, with the names of the variables', () => {
  const wrong = {
    SLIPWAY_PORT: '70000',
    SLIPWAY_ACCOUNT: 'me',
    SLIPWAY_RECORDS: 'mysql',
    SLIPWAY_BLOB: 's3',
    SLIPWAY_TLS_KEY: 'k.pem',
  };
  expect(() => readConfig(wrong)).toThrow(ConfigError);
  expect(() => readConfig(wrong)).toThrow(
    /SLIPWAY_BLOB: no such setting[\s\S]*SLIPWAY_PORT[\s\S]*SLIPWAY_ACCOUNT[\s\S]*SLIPWAY_RECORDS/,
  );
});

test('S3 needs its endpoint, bucket and keys', () => {
  expect(() => readConfig({ SLIPWAY_BLOBS: 's3' })).toThrow(
    /SLIPWAY_S3_ENDPOINT[\s\S]*SLIPWAY_S3_BUCKET[\s\S]*SLIPWAY_S3_SECRET_ACCESS_KEY/,
  );
});

test('an empty variable counts as not set', () => {
  expect(readConfig({ SLIPWAY_PORT: '', SLIPWAY_ENDPOINTS: ' a.example:7500 , b ' })).toMatchObject({
    port: 7500,
    endpoints: ['a.example:7500', 'b'],
  });
});

test('a lost host stays unless a time is set, which is not shorter than what its tasks are waited for', () => {
  const after = (value: string): number | undefined =>
    readConfig({ SLIPWAY_LOST_HOST_DEREGISTER_AFTER: value }).lostHostDeregisterAfterSeconds;
  expect(readConfig({}).lostHostDeregisterAfterSeconds).toBeUndefined();
  expect(['off', '300', '30m', '12h', '7d'].map(after)).toEqual([undefined, 300, 1_800, 43_200, 604_800]);
  for (const wrong of ['299', '4m', '0', '-5m', '1w', '1.5h', 'never', '366d', '99999999999'])
    expect(() => after(wrong), wrong).toThrow(/SLIPWAY_LOST_HOST_DEREGISTER_AFTER/);
});

test('logs take the room that is set, in words with a unit', () => {
  const max = (value: string): number | undefined => readConfig({ SLIPWAY_LOGS_MAX: value }).logsMaxBytes;
  expect(readConfig({}).logsMaxBytes).toBeUndefined();
  expect(['64MiB', '20GiB', '1TiB'].map(max)).toEqual([64 * 2 ** 20, 20 * 2 ** 30, 2 ** 40]);
  for (const wrong of ['63MiB', '0GiB', '-1GiB', '10', '10GB', '10gib', '1.5GiB', 'off', '9999999GiB'])
    expect(() => max(wrong), wrong).toThrow(/SLIPWAY_LOGS_MAX/);
});

test('so do metrics', () => {
  expect(readConfig({}).metricsMaxBytes).toBeUndefined();
  expect(readConfig({ SLIPWAY_METRICS_MAX: '64MiB' }).metricsMaxBytes).toBe(64 * 2 ** 20);
  expect(() => readConfig({ SLIPWAY_METRICS_MAX: '1MiB' })).toThrow(/SLIPWAY_METRICS_MAX/);
});

test('what proxies say counts from those that are named, and the public name is one of ours', () => {
  expect(readConfig({})).toMatchObject({ publicUrl: undefined, trustedProxies: [], metricsFrom: undefined });
  const behind = {
    SLIPWAY_PUBLIC_URL: 'https://registry.example.com/',
    SLIPWAY_TRUSTED_PROXIES: '10.0.0.7, fd00::/8',
    SLIPWAY_METRICS_FROM: '10.1.0.0/16',
    SLIPWAY_ENDPOINTS: 'a:7500',
  };
  expect(readConfig(behind)).toMatchObject({
    publicUrl: 'https://registry.example.com',
    trustedProxies: ['10.0.0.7', 'fd00::/8'],
    metricsFrom: ['10.1.0.0/16'],
    endpoints: ['a:7500', 'registry.example.com'],
  });
});

test.each([
  ['SLIPWAY_PUBLIC_URL', 'https://a/path'],
  ['SLIPWAY_PUBLIC_URL', 'https://user:password@a'],
  ['SLIPWAY_PUBLIC_URL', 'ftp://a'],
  ['SLIPWAY_TRUSTED_PROXIES', 'proxy'],
  ['SLIPWAY_METRICS_FROM', '10.0.0.0/40'],
])('%s cannot be %s', (name, value) => {
  expect(() => readConfig({ [name]: value })).toThrow(name);
});

test('rates are requests per second, with a burst if one is given, and no limit unless they are set', () => {
  expect(readConfig({}).rates).toEqual({ perPrincipal: undefined, global: undefined });
  expect(readConfig({ SLIPWAY_RATE_PER_PRINCIPAL: '0.5', SLIPWAY_RATE_GLOBAL: '100/250' }).rates).toEqual({
    perPrincipal: { perSecond: 0.5, burst: 1 },
    global: { perSecond: 100, burst: 250 },
  });
  expect(readConfig({ SLIPWAY_RATE_GLOBAL: '30' }).rates.global).toEqual({ perSecond: 30, burst: 30 });
});

test.each(['0', '0/5', '5/0', '-1', 'many', '1/', '/1', '1/2/3', '1e3', '5/0.5'])('%s is no rate', (text) => {
  expect(() => readConfig({ SLIPWAY_RATE_GLOBAL: text })).toThrow(/SLIPWAY_RATE_GLOBAL: must be/);
});

test.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['localhost', true],
  ['::1', true],
  ['0.0.0.0', false],
  ['127.evil.example', false],
  ['10.0.0.1', false],
])('%s loopback: %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});

test('the page of settings names every variable, and none that there is not', () => {
  const pages = ['settings.md', '../../auth/acme/README.md', '../../auth/browser/README.md'].map((page) =>
    readFileSync(join(import.meta.dirname, page), 'utf8'),
  );
  const named = new Set(pages.join('\n').match(/\bSLIPWAY_[A-Z0-9_]+\b/g));
  expect([...named].toSorted()).toEqual([...settings].toSorted());
});
