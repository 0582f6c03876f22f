import type { Call, WebRoute } from '@slipway/auth/contract';
import { expect, test } from 'vitest';

import { account, region } from '../../balancing/testing/open-balancing.ts';
import { openGroups } from '../testing/group-bench.ts';
import { createGroupAdministration } from './administer.ts';

const call = { account, region } as Call;

test('the secret of a group is told to whoever may put its hooks, is there before the group, and made anew when asked', async () => {
  const bench = await openGroups();
  const web = createGroupAdministration(bench.ports);
  const routeOf = (method: string, path = '/slipway/groups/web'): WebRoute | undefined =>
    web.route(method, path, new URLSearchParams());
  const told = async (method: string): Promise<string> => {
    const ctx = { set: () => undefined, body: {} as { secret: string } };
    const { handle } = routeOf(method) as unknown as { handle: (ctx: object, call: Call) => Promise<void> };
    await handle(ctx, call);
    return ctx.body.secret;
  };
  const first = await told('POST');
  expect(first).toMatch(/^[\w-]{43}$/);
  expect(await told('POST')).toBe(first);
  const renewed = await told('DELETE');
  expect(renewed).not.toBe(first);
  expect(await told('POST')).toBe(renewed);
  const { access } = routeOf('POST') as unknown as {
    access: (
      call: Call,
    ) => Promise<readonly { readonly action: string; readonly resources: readonly { arn: string }[] }[]>;
  };
  expect(await access(call)).toMatchObject([
    {
      action: 'autoscaling:PutLifecycleHook',
      resources: [{ arn: expect.stringMatching(/autoScalingGroup:\*:/) as string }],
    },
  ]);
  await bench.template();
  await bench.group();
  expect((await access(call))[0]?.resources[0]?.arn).toMatch(
    /autoScalingGroup:[0-9a-f-]{36}:autoScalingGroupName\/web$/,
  );
  for (const [method, path] of [
    ['GET', '/slipway/groups/web'],
    ['POST', '/slipway/groups/'],
    ['POST', '/slipway/groups/%E0%A4%A'],
    ['POST', '/slipway/groups/a/b'],
  ] as const)
    expect(routeOf(method, path)).toBeUndefined();
});
