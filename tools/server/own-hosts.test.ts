import { expect, test } from 'vitest';
import { isOwnHost } from './own-hosts.ts';

const addresses = (): readonly string[] => ['127.0.0.1', '::1', '192.168.7.5'];
const at = (host: string, ...endpoints: string[]) => ({ endpoints, listening: { host, port: 7500 }, addresses });

test.each([
  ['127.0.0.1:7500', at('127.0.0.1'), true],
  ['localhost:7500', at('127.0.0.1'), true],
  ['LOCALHOST:7500', at('127.0.0.1'), true],
  ['127.0.0.2:7500', at('127.0.0.1'), false],
  ['127.1:7500', at('127.0.0.1'), false],
  ['[::1]:7500', at('127.0.0.1'), false],
  ['[::1]:7500', at('::1'), true],
  ['127.0.0.1:7501', at('127.0.0.1'), false],
  ['127.0.0.1', at('127.0.0.1'), false],
  ['127.0.0.1:07500', at('127.0.0.1'), false],
  ['127.0.0.2:7500', at('127.0.0.2'), true],
  ['localhost:7500', at('127.0.0.2'), false],
  ['192.168.7.5:7500', at('0.0.0.0'), true],
  ['192.168.7.6:7500', at('0.0.0.0'), false],
  ['127.0.0.2:7500', at('0.0.0.0'), false],
  ['[::1]:7500', at('::'), true],
  ['localhost:7500', at('::'), true],
  ['192.168.7.5:7500', at('127.0.0.1'), false],
  ['registry.example.com', at('0.0.0.0', 'registry.example.com'), true],
  ['registry.example.com:7500', at('0.0.0.0', 'registry.example.com'), true],
  ['registry.example.com:443', at('0.0.0.0', 'registry.example.com'), false],
  ['Registry.Example.com:8443', at('0.0.0.0', 'registry.example.com:8443'), true],
  ['registry.example.com.evil.com:7500', at('0.0.0.0', 'registry.example.com'), false],
  ['', at('0.0.0.0'), false],
  [':7500', at('0.0.0.0'), false],
])('%s for a server at %o: %s', (host, own, expected) => {
  expect(isOwnHost(host, own)).toBe(expected);
});

test('before it listens, a server has the names it was given and no other', () => {
  const own = { endpoints: ['registry.lan:7500'], listening: undefined, addresses };
  expect(['registry.lan:7500', '127.0.0.1:7500'].map((host) => isOwnHost(host, own))).toEqual([true, false]);
});
