import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { callers, type FrontDoor, openFrontDoor } from './testing/front-door.ts';

test('/readyz follows the parts behind the gateway', async () => {
  let ok = true;
  await using door = await openFrontDoor({
    ready: async () => ({ ok, parts: { records: ok ? 'ok' : 'unreachable' } }),
  });
  const health = async (path = '/readyz'): Promise<unknown> => {
    const answer = await fetch(`${door.url}${path}`);
    return [answer.status, await answer.json()];
  };
  expect(await health()).toEqual([200, { status: 'ok', parts: { records: 'ok' } }]);
  ok = false;
  expect(await health()).toEqual([503, { status: 'unavailable', parts: { records: 'unreachable' } }]);
  // Alive it is all the same.
  expect(await health('/healthz')).toEqual([200, { status: 'ok' }]);
});

test('a look at the parts that fails itself is not ready', async () => {
  await using door = await openFrontDoor({ ready: () => Promise.reject(new Error('gone')) });
  expect((await fetch(`${door.url}/readyz`)).status).toBe(503);
});

test('/metrics counts requests, and is open to the addresses that may read it', async () => {
  await using door = await openFrontDoor();
  await fetch(`${door.url}/v2/`);
  await expect
    .poll(async () => (await fetch(`${door.url}/metrics`)).text())
    .toContain('slipway_requests_total{service="registry",operation="version",status="401"} 1');
  await using closed = await openFrontDoor({ metricsFrom: ['192.0.2.0/24'] });
  expect((await fetch(`${closed.url}/metrics`)).status).toBe(403);
});

/** The status of a request that names a host; fetch would not let it. */
const statusFor = async (
  door: FrontDoor,
  path: string,
  headers: Record<string, string>,
): Promise<number | undefined> => {
  const sent = get({ host: '127.0.0.1', port: door.listening.port, path, agent: false, headers });
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  answer.resume();
  return answer.statusCode;
};

test('X6: a page that gave its name to our address reads nothing', async () => {
  await using door = await openFrontDoor();
  const { token } = await door.tokens.issueAuthorization(callers.reader.principal);
  const rebound = { Host: `rebinding.example:${door.listening.port}` };
  for (const path of ['/metrics', '/token?scope=repository:a:pull', '/v2/a/manifests/latest', '/anything'])
    expect([path, await statusFor(door, path, rebound)]).toEqual([path, 421]);
  // It may add whatever header it likes, so that having one proves nothing where nobody looks at it.
  expect(await statusFor(door, '/metrics', { ...rebound, Authorization: 'Basic x' })).toBe(421);
  expect(await statusFor(door, '/v2/a/manifests/latest', { ...rebound, Authorization: 'Basic x' })).toBe(401);
  // Whoever has a login may come by any name, and load balancers ask for health by theirs.
  expect(await statusFor(door, '/v2/', rebound)).toBe(401);
  expect(await statusFor(door, '/v2/a/manifests/latest', { ...rebound, Authorization: `Basic ${token}` })).toBe(200);
  expect(await statusFor(door, '/healthz', rebound)).toBe(200);
  expect(await statusFor(door, '/readyz', rebound)).toBe(200);
  expect(await statusFor(door, '/metrics', { Host: `localhost:${door.listening.port}` })).toBe(200);
});

test('/metrics does not take a proxy that nobody told of for this machine', async () => {
  await using door = await openFrontDoor();
  for (const name of ['X-Forwarded-For', 'Forwarded'])
    expect(await statusFor(door, '/metrics', { [name]: '203.0.113.7' })).toBe(403);
  await using behind = await openFrontDoor({ trustedProxies: ['127.0.0.1'] });
  expect(await statusFor(behind, '/metrics', { 'X-Forwarded-For': '203.0.113.7' })).toBe(403);
  expect(await statusFor(behind, '/metrics', { 'X-Forwarded-For': '127.0.0.1' })).toBe(200);
});
