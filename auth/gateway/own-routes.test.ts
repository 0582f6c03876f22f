import { expect, test } from 'vitest';
import { openFrontDoor } from './testing/front-door.ts';

test('/healthz follows the parts behind the gateway', async () => {
  let ok = true;
  await using door = await openFrontDoor({
    health: async () => ({ ok, parts: { records: ok ? 'ok' : 'unreachable' } }),
  });
  const health = async (): Promise<unknown> => {
    const answer = await fetch(`${door.url}/healthz`);
    return [answer.status, await answer.json()];
  };
  expect(await health()).toEqual([200, { status: 'ok', parts: { records: 'ok' } }]);
  ok = false;
  expect(await health()).toEqual([503, { status: 'unavailable', parts: { records: 'unreachable' } }]);
});

test('a health check that fails itself is bad health', async () => {
  await using door = await openFrontDoor({ health: () => Promise.reject(new Error('gone')) });
  expect((await fetch(`${door.url}/healthz`)).status).toBe(503);
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
