import { verifyDelivery } from '@slipway/auth/kit';
import type { Outbound } from '@slipway/auth/outbound';
import { expect, test } from 'vitest';

import { partition } from '../control/testing/cluster-world.ts';
import { hookSecret } from './secrets.ts';
import { HookBench } from './testing/hook-bench.ts';
import { ScriptedHook } from './testing/scripted-hook.ts';

const web = { account: '000000000000', cluster: 'default', service: 'web' };

test('a webhook is told what ECS tells a hook, signed for the service, and its answer is recorded once', async () => {
  await using hook = await ScriptedHook.open();
  await using bench = await HookBench.open(hook.ca);
  await bench.wait([{ target: { type: 'webhook', url: hook.url }, details: { team: 'web' } }], [{}]);
  expect(await bench.decided()).toMatchObject({ id: 'run-1', service: 'web', status: 'SUCCEEDED' });
  const [call, ...others] = hook.heard;
  expect(others).toEqual([]);
  const [deployment] = (await bench.world.read()).deployments;
  const number = deployment?.id.split('/')[1] ?? '';
  const revision = `arn:aws:ecs:us-east-1:000000000000:service-revision/default/web/${number}`;
  expect(call?.payload).toEqual({
    executionId: 'run-1',
    lifecycleStage: 'POST_SCALE_UP',
    resourceArn: expect.stringMatching(
      /^arn:aws:ecs:us-east-1:000000000000:service-deployment\/default\/web\/\w{21}$/,
    ) as string,
    executionDetails: {
      serviceArn: 'arn:aws:ecs:us-east-1:000000000000:service/default/web',
      targetServiceRevisionArn: revision,
      testTrafficWeights: {},
      productionTrafficWeights: {},
    },
    hookDetails: { team: 'web' },
  });
  expect(call?.method).toBe('POST');
  expect(call?.headers).toMatchObject({ 'content-type': 'application/json', 'slipway-execution': 'run-1' });
  const header = String(call?.headers['slipway-signature']);
  const body = call?.body ?? Buffer.of();
  const secret = await hookSecret(bench.ports, web);
  const signed = { id: 'run-1', body, now: Date.now() };
  expect(verifyDelivery(header, { ...signed, secret })).toBeDefined();
  const other = await hookSecret(bench.ports, { ...web, service: 'other' });
  expect(verifyDelivery(header, { ...signed, secret: other })).toBeUndefined();
  const [row] = (await bench.world.storage.records.list(partition, { prefix: 'hook-secret/web' })).records;
  expect(JSON.stringify(row?.value)).toContain('sealed(hooks of 000000000000/default/web)');
  expect(JSON.stringify(row?.value)).not.toContain(secret);
  expect(bench.counted).toEqual(['webhook SUCCEEDED']);
  expect(await hookSecret(bench.ports, web, true)).not.toBe(secret);
});

test('weights are told where traffic is shifted, of the old revision too, and of one kind of traffic at a time', async () => {
  await using hook = await ScriptedHook.open();
  await using bench = await HookBench.open(hook.ca);
  const old = { id: 'ecs-svc/1111111111111111111', status: 'ACTIVE', completedAt: 1 } as const;
  await bench.change((service) => {
    const [first] = service.deployments;
    if (first === undefined) throw new Error('no deployment');
    return { ...service, deployments: [first, { ...first, ...old, rolloutState: 'COMPLETED' }] };
  });
  const target = { type: 'webhook', url: hook.url } as const;
  const stages = ['TEST_TRAFFIC_SHIFT', 'PRODUCTION_TRAFFIC_SHIFT'] as const;
  await bench.wait(
    [{ target }],
    stages.map((stage, index) => ({ id: `run-${index}`, stage })),
    { wanted: { production: 10, test: 100 } },
  );
  await bench.decided('run-0');
  await bench.decided('run-1');
  const told = new Map(hook.heard.map(({ payload }) => [payload.executionId, payload['executionDetails']]));
  const arn = 'arn:aws:ecs:us-east-1:000000000000:service-revision/default/web/';
  const isNew = new RegExp(`^${arn}(?!1{19}$)\\d{19}$`);
  for (const [run, kind, others] of [
    ['run-0', 'testTrafficWeights', 'productionTrafficWeights'],
    ['run-1', 'productionTrafficWeights', 'testTrafficWeights'],
  ] as const) {
    const details = told.get(run) as Record<string, unknown>;
    expect(details[others]).toEqual({});
    const percent = run === 'run-0' ? 100 : 10;
    const target = details['targetServiceRevisionArn'] as string;
    expect(target).toMatch(isNew);
    expect(details[kind]).toEqual({ [target]: percent, [`${arn}${'1'.repeat(19)}`]: 100 - percent });
  }
});

test('a hook that is in progress is asked again with what it gave back, as one execution', async () => {
  await using hook = await ScriptedHook.open();
  await using bench = await HookBench.open(hook.ca);
  const answers = [
    { hookStatus: 'IN_PROGRESS', callBackDelay: 0, hookDetails: { job: 7, at: 'first' } },
    { hookStatus: 'IN_PROGRESS', callBackDelay: 0.2, hookDetails: { at: 'second' } },
    { hookStatus: 'SUCCEEDED' },
  ];
  hook.says(() => answers[hook.heard.length - 1]);
  await bench.wait([{ target: { type: 'webhook', url: hook.url }, details: { team: 'web', at: 'start' } }], [{}]);
  expect((await bench.decided()).status).toBe('SUCCEEDED');
  expect(hook.heard.map(({ payload }) => [payload.executionId, payload.hookDetails])).toEqual([
    ['run-1', { team: 'web', at: 'start' }],
    ['run-1', { team: 'web', at: 'first', job: 7 }],
    ['run-1', { team: 'web', at: 'second', job: 7 }],
  ]);
  expect(bench.counted).toEqual(['webhook IN_PROGRESS', 'webhook IN_PROGRESS', 'webhook SUCCEEDED']);
});

const megabyte = Buffer.alloc(1024 * 1024, ' ');

test('a webhook that does not answer as it should fails its hook, and the reason says so', async () => {
  await using hook = await ScriptedHook.open();
  await using bench = await HookBench.open(hook.ca);
  const cases: readonly (readonly [ScriptedHook['answer'], string])[] = [
    [(response) => response.end('{"hookStatus":"FAILED"}'), 'it answered FAILED'],
    [(response) => response.end(), 'its answer is not JSON'],
    [(response) => response.end('{}'), 'its answer has no hookStatus of SUCCEEDED, FAILED or IN_PROGRESS'],
    [(response) => response.writeHead(500).end('{"hookStatus":"SUCCEEDED"}'), 'it answered with HTTP status 500'],
    [
      (response) => response.writeHead(307, { location: 'https://169.254.169.254/latest/meta-data/' }).end(),
      'the address answers with a redirect, which is not followed',
    ],
    [
      (response) => {
        response.writeHead(200);
        for (let i = 0; i < 10; i++) response.write(megabyte);
        response.end();
      },
      'the answer is larger than 65536 bytes',
    ],
    [(response) => response.destroy(), 'the address could not be reached'],
  ];
  hook.answer = (response, call) => cases[Number(call.payload.executionId)]?.[0](response, call);
  await bench.wait(
    [{ target: { type: 'webhook', url: `${hook.url}?token=hidden` } }],
    cases.map((_, index) => ({ id: String(index) })),
  );
  for (const [index, [, reason]] of cases.entries()) {
    expect(await bench.decided(String(index))).toMatchObject({
      status: 'FAILED',
      reason: `Webhook ${hook.url} failed: ${reason}.`,
    });
  }
  expect(JSON.stringify(bench.world.lines)).not.toContain('hidden');
  const calls = hook.heard.map(({ payload }) => payload.executionId);
  expect(calls.filter((id) => id === '3')).toHaveLength(1);
  expect(calls.filter((id) => id === '6')).toHaveLength(3);
});

test('a webhook that hangs, at once or within its answer, fails its hook when its time is over', async () => {
  await using hook = await ScriptedHook.open();
  await using bench = await HookBench.open(hook.ca);
  const limits = new Set<number | undefined>();
  const impatient: Outbound['fetch'] = (url, call) => {
    limits.add(call?.timeoutMs);
    return bench.ports.outbound.fetch(url, { ...call, timeoutMs: 4_000 });
  };
  await bench.changeLeader({ outbound: { fetch: impatient } });
  const drips = new Set<NodeJS.Timeout>();
  hook.answer = (response, { payload }) => {
    if (payload.executionId === 'hangs') return;
    response.writeHead(200);
    const drip = setInterval(() => response.write(' '), 50);
    drips.add(drip);
    response.on('close', () => clearInterval(drip));
  };
  await bench.wait([{ target: { type: 'webhook', url: hook.url } }], [{ id: 'hangs' }, { id: 'drips' }]);
  for (const id of ['hangs', 'drips'])
    expect((await bench.decided(id)).reason).toBe(`Webhook ${hook.url} failed: the address did not answer in time.`);
  for (const drip of drips) clearInterval(drip);
  expect(hook.heard).toHaveLength(2);
  expect([...limits]).toEqual([30_000]);
});

test('nothing is sent to a receiver that no authority vouches for, without TLS, or to a private address', async () => {
  await using hook = await ScriptedHook.open();
  await using bench = await HookBench.open();
  const urls = [hook.url, 'http://hooks.example.com/', 'https://127.1:2375/', 'https://169.254.169.254/'];
  await bench.wait(
    urls.map((url) => ({ target: { type: 'webhook', url } })),
    urls.map((_, index) => ({ id: String(index), hook: index })),
  );
  const reasons: unknown[] = [];
  for (const index of urls.keys()) reasons.push((await bench.decided(String(index))).reason);
  expect(reasons).toEqual([
    expect.stringContaining('could not be reached'),
    expect.stringContaining('does not begin with https://'),
    expect.stringContaining('cannot be called'),
    expect.stringContaining('cannot be called'),
  ]);
  expect(hook.heard).toEqual([]);
});

test('hooks that give back ever more are ended', async () => {
  await using hook = await ScriptedHook.open();
  await using bench = await HookBench.open(hook.ca);
  hook.says(() => ({
    hookStatus: 'IN_PROGRESS',
    callBackDelay: 0,
    hookDetails: { [`part${hook.heard.length}`]: 'x'.repeat(10_000) },
  }));
  await bench.wait([{ target: { type: 'webhook', url: hook.url } }], [{}]);
  expect((await bench.decided()).reason).toMatch(/hookDetails of its answers are larger than 16384 characters/);
  expect(hook.heard).toHaveLength(2);
});

test('one that never ends IN_PROGRESS is asked one call after another, until the deployment does not wait for it any more', async () => {
  await using hook = await ScriptedHook.open();
  await using bench = await HookBench.open(hook.ca);
  hook.says(({ payload }) => ({
    hookStatus: payload.executionId === 'endless' ? 'IN_PROGRESS' : 'SUCCEEDED',
    callBackDelay: 0,
    hookDetails: { at: hook.heard.length },
  }));
  const target = { type: 'webhook', url: hook.url } as const;
  await bench.wait([{ target }], [{ id: 'endless' }]);
  await bench.world.until(
    () => Promise.resolve(hook.heard.length),
    (calls) => calls >= 5,
  );
  // Each call tells what the one before gave back: no two are under way at once.
  const told = hook.heard.slice(0, 5).map(({ payload }) => payload.hookDetails);
  expect(told).toEqual([{}, { at: 1 }, { at: 2 }, { at: 3 }, { at: 4 }]);
  expect(await bench.result('endless')).toMatchObject({ status: 'IN_PROGRESS' });
  await bench.wait([{ target }], [{ id: 'endless', status: 'TIMED_OUT' }, { id: 'next' }]);
  expect((await bench.decided('next')).status).toBe('SUCCEEDED');
  expect(await bench.result('endless')).toMatchObject({ status: 'IN_PROGRESS' });
});

test('when another server leads in the middle of a call it makes the same call, and the first answer counts for nothing', async () => {
  await using hook = await ScriptedHook.open();
  await using bench = await HookBench.open(hook.ca);
  const held: (() => void)[] = [];
  hook.answer = (response) => void held.push(() => response.end('{"hookStatus":"FAILED"}'));
  await bench.wait([{ target: { type: 'webhook', url: hook.url } }], [{}]);
  await bench.world.until(
    () => Promise.resolve(held.length),
    (calls) => calls === 1,
  );
  hook.answer = (response) => response.end('{"hookStatus":"SUCCEEDED"}');
  await bench.changeLeader();
  held[0]?.();
  expect((await bench.decided()).status).toBe('SUCCEEDED');
  expect(hook.heard.map(({ payload }) => payload.executionId)).toEqual(['run-1', 'run-1']);
});

test('a late answer changes nothing: the deployment waits for another asking', async () => {
  await using hook = await ScriptedHook.open();
  await using bench = await HookBench.open(hook.ca);
  const held: (() => void)[] = [];
  hook.answer = (response, { payload }) => {
    if (payload.executionId === 'run-1') held.push(() => response.end('{"hookStatus":"FAILED"}'));
    else response.end('{"hookStatus":"SUCCEEDED"}');
  };
  const target = { type: 'webhook', url: hook.url } as const;
  await bench.wait([{ target }], [{}]);
  await bench.world.until(
    () => Promise.resolve(held.length),
    (calls) => calls === 1,
  );
  await bench.wait([{ target }], [{ status: 'TIMED_OUT' }, { id: 'run-2' }]);
  held[0]?.();
  expect((await bench.decided('run-2')).status).toBe('SUCCEEDED');
  expect(await bench.result()).toBeUndefined();
});

test('a pause and what is over already are nobody to ask', async () => {
  await using hook = await ScriptedHook.open();
  await using bench = await HookBench.open(hook.ca);
  const target = { type: 'webhook', url: hook.url } as const;
  await bench.wait(
    [{ target: { type: 'pause' } }, { target }],
    [
      { id: 'paused', status: 'AWAITING_ACTION' },
      { id: 'odd', status: 'IN_PROGRESS' },
      { id: 'done', hook: 1, status: 'SUCCEEDED' },
      { id: 'asked', hook: 1 },
      { id: 'nobody', hook: 7 },
    ],
  );
  await bench.decided('asked');
  expect(hook.heard.map(({ payload }) => payload.executionId)).toEqual(['asked']);
  for (const run of ['paused', 'odd', 'done', 'nobody']) expect(await bench.result(run)).toBeUndefined();
});
