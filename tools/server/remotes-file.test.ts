import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readRemotes } from './remotes-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-remotes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(text: string) {
  const path = join(folder, 'remotes.json');
  writeFileSync(path, text);
  return readRemotes(path);
}

test('without a file no other registry is known', () => {
  expect(readRemotes(undefined)).toEqual({ upstreamSecrets: {}, upstreamHosts: {}, replicationTargets: [] });
});

test('secrets, hosts and targets are read', () => {
  const remotes = {
    upstreamSecrets: { 'ecr-pullthroughcache/hub': { username: 'me', accessToken: 'secret' } },
    upstreamHosts: { 'mirror.example': 'https://mirror.example' },
    replicationTargets: [
      {
        region: 'eu-west-1',
        registryId: '000000000000',
        url: 'https://b.example',
        accessKeyId: 'a',
        secretAccessKey: 'b',
      },
    ],
  };
  expect(read(JSON.stringify(remotes))).toEqual(remotes);
});

test('what is wrong is named, and no secret is shown', () => {
  expect(() => read('{"upstreamSecrets":{"hub":{"username":"me","accessToken":"hush"}}}')).toThrow(
    /upstreamSecrets\.hub: .*(?!hush)/,
  );
  expect(() => read('{"upstreamSecret":{}}')).toThrow(/upstreamSecret/);
  expect(() => read('{"accessToken":"hush"')).toThrow(/is not JSON$/);
  expect(() => readRemotes(join(folder, 'none.json'))).toThrow(/SLIPWAY_REMOTES_FILE: .*ENOENT/);
});
