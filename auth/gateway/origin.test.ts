import type { IncomingMessage } from 'node:http';
import { hostname } from 'node:os';
import { describe, expect, test } from 'vitest';
import { Origins, type OriginOptions } from './origin.ts';

interface From {
  readonly peer?: string;
  readonly local?: string;
  readonly port?: number;
  readonly headers?: Record<string, string>;
  readonly encrypted?: boolean;
}

const request = ({
  peer = '203.0.113.5',
  local = '192.168.1.2',
  port = 7500,
  headers = {},
  encrypted = false,
}: From): IncomingMessage =>
  ({
    headers,
    socket: { remoteAddress: peer, localAddress: local, localPort: port, encrypted },
  }) as unknown as IncomingMessage;

describe('where a request comes from', () => {
  const trusted: OriginOptions = { trustedProxies: ['10.0.0.0/8', '::1'] };
  test.each([
    [
      'A11: without trusted proxies the header is nothing',
      {},
      { headers: { 'x-forwarded-for': '1.1.1.1' } },
      '203.0.113.5',
    ],
    ['A11: nor is it from another peer', trusted, { headers: { 'x-forwarded-for': '1.1.1.1' } }, '203.0.113.5'],
    [
      'a trusted proxy is believed',
      trusted,
      { peer: '10.0.0.1', headers: { 'x-forwarded-for': '1.1.1.1' } },
      '1.1.1.1',
    ],
    [
      'what the client wrote left of it is not',
      trusted,
      { peer: '10.0.0.1', headers: { 'x-forwarded-for': '6.6.6.6, 1.1.1.1, 10.0.0.2' } },
      '1.1.1.1',
    ],
    [
      'a chain of proxies alone is its first',
      trusted,
      { peer: '10.0.0.1', headers: { 'x-forwarded-for': '10.0.0.3, 10.0.0.2' } },
      '10.0.0.3',
    ],
    ['no address is no address', trusted, { peer: '10.0.0.1', headers: { 'x-forwarded-for': 'evil' } }, '10.0.0.1'],
    [
      'IPv4 in IPv6 is IPv4',
      trusted,
      { peer: '::ffff:10.0.0.1', headers: { 'x-forwarded-for': '::ffff:1.1.1.1' } },
      '1.1.1.1',
    ],
  ] as const)('%s', (_name, options, from, expected) => {
    expect(new Origins(options).sourceIp(request(from))).toBe(expected);
  });
});

describe('A1: under which address the client reached us', () => {
  test.each([
    ['the address of the connection', {}, { headers: { host: '192.168.1.2:7500' } }, 'http://192.168.1.2:7500'],
    [
      'its own name for loopback',
      {},
      { local: '127.0.0.1', headers: { host: 'localhost:7500' } },
      'http://localhost:7500',
    ],
    [
      'another loopback address',
      {},
      { local: '127.0.0.1', headers: { host: '127.0.0.5:7500' } },
      'http://127.0.0.5:7500',
    ],
    ['not a name that is unknown', {}, { headers: { host: 'evil.example' } }, 'http://192.168.1.2:7500'],
    ['not localhost from elsewhere', {}, { headers: { host: 'localhost:7500' } }, 'http://192.168.1.2:7500'],
    ['not another port', {}, { headers: { host: '192.168.1.2:80' } }, 'http://192.168.1.2:7500'],
    [
      'a configured host',
      { hosts: ['Registry.local'] },
      { headers: { host: 'registry.local:7500' } },
      'http://registry.local:7500',
    ],
    [
      'the public URL instead of the unknown',
      { publicUrl: 'https://r.example.com/' },
      { headers: { host: 'evil' } },
      'https://r.example.com',
    ],
    ['IPv6', {}, { local: '::1', headers: {} }, 'http://[::1]:7500'],
    ['TLS', {}, { encrypted: true, headers: { host: '192.168.1.2:7500' } }, 'https://192.168.1.2:7500'],
    [
      'https before a trusted proxy',
      { trustedProxies: ['203.0.113.0/24'], hosts: ['r'] },
      { headers: { host: 'r', 'x-forwarded-proto': 'https' } },
      'https://r',
    ],
    ['http before any other', { hosts: ['r'] }, { headers: { host: 'r', 'x-forwarded-proto': 'https' } }, 'http://r'],
  ] as const)('%s', (_name, options, from, expected) => {
    expect(new Origins(options).endpoint(request(from), false)).toBe(expected);
  });

  test('a signed Host is taken when it is a host at all', () => {
    const origins = new Origins({});
    expect(origins.endpoint(request({ headers: { host: 'any.name:1' } }), true)).toBe('http://any.name:1');
    expect(origins.endpoint(request({ headers: { host: 'a"b<c>' } }), true)).toBe('http://192.168.1.2:7500');
  });
});

describe('X6: under which names it answers strangers', () => {
  const origins = new Origins({ hosts: ['Registry.local:7500'], publicUrl: 'https://r.example.com' });
  test.each([
    ['an address', '192.0.2.7:7500', true],
    ['an IPv6 address', '[::1]:7500', true],
    ['localhost', 'localhost:7500', true],
    ['a name below localhost', 'slipway.localhost', true],
    ['a configured name, on whatever port', 'registry.LOCAL', true],
    ['the public name', 'r.example.com', true],
    ["the machine's own name", `${hostname()}:7500`, true],
    ['a name that anybody may give this address', 'rebinding.example', false],
    ['one that begins like ours', 'registry.local.example', false],
    ['one that looks like an address', '127.0.0.1.example', false],
    ['nothing at all', '', false],
  ])('%s', (_name, host, known) => {
    expect(origins.isKnownHost(request({ headers: { host } }))).toBe(known);
  });
});
