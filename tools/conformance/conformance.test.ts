import { afterAll, beforeAll, expect, test } from 'vitest';
import { passwordOf, type ServedRegistry, serveRegistry } from '@slipway/registry/testing';
import { type ConformanceReport, groupNames, runConformance, toJunit } from './index.ts';
import { parseChallenges } from './login.ts';
import { type Fault, startFront } from './testing/broken-front.ts';
import { faults, isBlob, isTagList } from './testing/faults.ts';

let registry: ServedRegistry;
let credentials: { readonly username: string; readonly password: string };

beforeAll(async () => {
  registry = await serveRegistry();
  credentials = { username: 'AWS', password: await passwordOf(registry) };
});

afterAll(() => registry[Symbol.asyncDispose]());

async function runBehind(
  fault: Fault,
  groups: readonly string[],
  version: 'stable' | 'dev' = 'dev',
): Promise<ConformanceReport> {
  await using front = await startFront(registry.url, fault);
  return await runConformance({ registry: front.url, credentials, version, groups });
}

const notPassed = ({ cases }: ConformanceReport): string[] =>
  cases.filter(({ status }) => status !== 'passed').map(({ name, reasons }) => `${name}: ${reasons.join('; ')}`);

test('behind a front without a fault everything passes', async () => {
  const report = await runBehind({}, groupNames('dev'));
  expect(notPassed(report)).toEqual([]);
  expect(report.passed).toBe(true);
  expect(new Set(Object.values(report.apis))).toEqual(new Set(['passed']));
  expect(Object.keys(report.apis)).toHaveLength(28);
});

test.for(Object.entries(faults))('a front that %s is caught', async ([, [fault, group, caught, because]]) => {
  const report = await runBehind(fault, [group]);
  const found = report.cases.filter(({ name, status }) => name === caught && status !== 'passed');
  expect(found.flatMap(({ reasons }) => reasons).join('\n'), notPassed(report).join('\n')).toMatch(because);
  expect(report.counts.passed + report.further.passed).toBeGreaterThan(0);
});

test('tokens are fetched for a Bearer challenge, also to mount', async () => {
  await using bearer = await serveRegistry({ dockerChallenge: 'bearer' });
  const login = { username: 'AWS', password: await passwordOf(bearer) };
  const report = await runConformance({
    registry: bearer.url,
    credentials: login,
    groups: ['ping', 'sha256 blobs', 'image', 'further'],
  });
  expect(notPassed(report).map((text) => text.split(':')[0])).toEqual([
    'sha256 blobs/mount anonymous/blob-mount-anonymous',
    'sha256 blobs/post cancel/blob-post-cancel',
  ]);
});

test('without credentials, a registry that wants them fails everything and says why', async () => {
  const report = await runConformance({ registry: registry.url, groups: ['ping', 'image'] });
  expect(report.passed).toBe(false);
  expect(report.cases[0]).toMatchObject({ name: 'ping', status: 'failed' });
  expect(report.cases[0]?.reasons[0]).toMatch(/answered 401, not 200/);
});

test('a registry that is not there fails, and says so', async () => {
  const report = await runConformance({ registry: 'http://127.0.0.1:1', groups: ['ping', 'empty', 'sha256 blobs'] });
  expect(report.counts.passed).toBe(0);
  expect(report.cases[0]?.reasons[0]).toMatch(/no answer \(.*ECONNREFUSED/);
});

test('a registry that is silent is left alone after a while', async () => {
  await using silent = await startFront(registry.url, { asked: () => new Promise<void>(() => {}) });
  const report = await runConformance({ registry: silent.url, groups: ['sha256 blobs', 'image'], timeout: 100 });
  expect(report.counts.passed).toBe(0);
  expect(report.cases.at(-1)?.reasons[0]).toMatch(/not sent, too many requests got no answer in time/);
});

test('credentials go to no other host', async () => {
  const seen: (string | undefined)[] = [];
  await using elsewhere = await startFront(registry.url, {
    asked: ({ headers }) => void seen.push(headers['authorization']),
  });
  const report = await runBehind(
    {
      told: (told, { method, url }) => {
        if (method === 'GET' && isBlob(url) && told.status === 200) {
          told.status = 307;
          told.headers = { location: [`${elsewhere.url}${url.pathname}`], 'content-length': ['0'] };
          told.body = Buffer.alloc(0);
        }
      },
    },
    ['image'],
  );
  expect(seen.length).toBeGreaterThan(0);
  expect(new Set(seen)).toEqual(new Set([undefined]));
  expect(report.cases.find(({ name }) => name === 'image/pull/blob-get')?.reasons[0]).toMatch(/answered 401/);
});

test('groups are chosen by name, and an unknown one is refused', async () => {
  const report = await runConformance({ registry: registry.url, credentials, groups: ['ping'] });
  expect(report.cases.map(({ name }) => name)).toEqual(['ping']);
  await expect(runConformance({ registry: registry.url, groups: ['images'] })).rejects.toThrow(
    /no group 'images'; there are: ping, empty/,
  );
});

test('the JUnit report has every case, with reasons that XML can hold', async () => {
  const report = await runBehind(
    { told: (told, { url }) => void (isTagList(url) && ((told.status = 500), (told.body = Buffer.from('<&">')))) },
    ['image'],
  );
  const xml = toJunit(report);
  expect(xml.match(/<testcase /g)).toHaveLength(report.cases.length);
  expect(xml).toContain('failures="1"');
  expect(xml).toMatch(/<failure message="GET [^"]*&lt;&amp;&quot;&gt;">/);
});

test.each([
  ['Basic realm="x"', [['basic', { realm: 'x' }]]],
  [
    'Bearer realm="https://a/t",service="a b",scope="repository:x:pull,push"',
    [['bearer', { realm: 'https://a/t', service: 'a b', scope: 'repository:x:pull,push' }]],
  ],
  [
    'Bearer realm="x", Basic realm="a \\"b\\""',
    [
      ['bearer', { realm: 'x' }],
      ['basic', { realm: 'a "b"' }],
    ],
  ],
  ['bearer realm=x', [['bearer', { realm: 'x' }]]],
  ['', []],
])('the challenge %s is understood', (header, expected) => {
  const found = parseChallenges([header]).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
  expect(found).toEqual(expected);
});
