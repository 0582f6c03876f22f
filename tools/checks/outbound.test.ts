import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { checkOutbound } from './outbound.ts';

const root = mkdtempSync(join(tmpdir(), 'slipway-outbound-check-'));
afterEach(() => rmSync(root, { recursive: true, force: true }));

function check(path: string, text: string): string[] {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
  return checkOutbound(root);
}

test.each([
  ['registry/a/a.ts', `await fetch('http://169.254.169.254/');`],
  ['registry/a/a.ts', `send({ fetch });`],
  ['scheduler/a/a.ts', `const call = globalThis.fetch;`],
  ['scheduler/a/a.ts', `const ws = new WebSocket(url);`],
  ['auth/a/a.ts', `import { request } from 'undici';`],
  ['auth/a/a.ts', `import { createServer, request as call } from 'node:https';`],
  ['auth/a/a.ts', `import http from 'node:http';`],
  ['storage/a/a.ts', `import * as net from 'node:net';`],
  ['storage/a/a.ts', `import { connect } from 'node:tls';`],
  ['tools/server/a.ts', `import { runConformance } from '../conformance/index.ts';`],
  ['tools/server/a.ts', `const { request } = await import('node:http');`],
])('F4: a request around the guarded client is refused: %s %s', (path, text) => {
  expect(check(path, text)).toHaveLength(1);
});

test.each([
  [
    'registry/a/a.ts',
    `await outbound.fetch(url);\nawait this.#fetch(url);\ninterface A { readonly fetch: F; fetch?: F }`,
  ],
  ['registry/a/a.ts', `// fetch('http://example.com/')\n/**\n * fetch(it)\n */`],
  [
    'auth/a/a.ts',
    `import { createServer, type Server } from 'node:http';\nimport { BlockList, isIP } from 'node:net';`,
  ],
  ['auth/a/a.ts', `import type { ClientRequest } from 'node:http';`],
  ['auth/a/a.ts', `class A { constructor(fetch: GuardedFetch) { this.#fetch = fetch; } }`],
  ['auth/a/a.test.ts', `await fetch(url);`],
  ['tools/conformance/a.ts', `import { request } from 'node:http';`],
  ['auth/outbound/client.ts', `import { request } from 'undici';`],
  ['tools/cli/a.ts', `await fetch(url);`],
])('what calls nobody, or may, passes: %s %s', (path, text) => {
  expect(check(path, text)).toEqual([]);
});

test('this project sends every request through the guarded client', () => {
  expect(checkOutbound(join(import.meta.dirname, '..', '..'))).toEqual([]);
});
