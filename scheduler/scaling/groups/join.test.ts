import type { Principal } from '@slipway/auth/contract';
import { describe, expect, test } from 'vitest';

import { openGroups } from '../testing/group-bench.ts';
import { createMachineJoin, type JoinPorts, machineOf } from './join.ts';

const account = '000000000000';
const host = 'h'.repeat(43);
const other = 'o'.repeat(43);

/** A group of one machine that is made and has not joined, and what asks for its credentials. */
async function launched() {
  const bench = await openGroups();
  await bench.template();
  await bench.group({ DesiredCapacity: 1 });
  await bench.look();
  const [spec] = bench.provider.machines.values();
  if (spec === undefined) throw new Error('there is no machine');
  const asked: string[] = [];
  const service = createMachineJoin({
    ...bench.ports,
    machineCredentials: (role, machine) => {
      asked.push(role);
      return Promise.resolve({
        accessKeyId: 'ASIA',
        secretAccessKey: 'secret',
        sessionToken: 'token',
        expiration: new Date(0),
        principal: {
          type: 'assumed-role',
          account,
          arn: `arn:aws:sts::${account}:assumed-role/node/${machine}`,
          id: 'A',
        },
      });
    },
  } satisfies JoinPorts);
  const route = service.route('POST', '/slipway/machines/join', new URLSearchParams());
  const join = async (token: string, secret: string): Promise<string> => {
    try {
      const body = Buffer.from(JSON.stringify({ token }));
      const proven = await route?.caller?.({ get: () => secret } as never, () => Promise.resolve(body), {} as never);
      return proven?.principal.arn ?? '';
    } catch (error) {
      return (error as Error).message;
    }
  };
  return { bench, spec, token: spec.settings['SLIPWAY_JOIN'] ?? '', join, asked };
}

describe('a right to join', () => {
  test('is good for the first host that shows it, again and again, and for no other', async () => {
    const { join, token, spec, asked } = await launched();
    const arn = `arn:aws:sts::${account}:assumed-role/node/${spec.id}`;
    expect(await join(token, host)).toBe(arn);
    expect(await join(token, host)).toBe(arn);
    expect(await join(token, other)).toMatch(/^Another host has joined as i-/);
    expect(await join(token, '')).toMatch(/must hold at least 22 random characters/);
    expect(asked).toEqual([`arn:aws:iam::${account}:role/node`, `arn:aws:iam::${account}:role/node`]);
  });

  test('is over after ten minutes, and with its machine', async () => {
    const { join, token, bench } = await launched();
    bench.clock.at += 601_000;
    expect(await join(token, host)).toMatch(/is over: it had ten minutes/);
    await bench.look(3);
    expect(await join(token, host)).toMatch(/was ended/);
  });

  test('cannot be made up, nor made of another one', async () => {
    const { join, token, asked } = await launched();
    const last = token.endsWith('A') ? 'B' : 'A';
    for (const wrong of [
      '',
      'x'.repeat(200),
      `${token.slice(0, -1)}${last}`,
      token.replace(account, '111122223333'),
      token.replace(/i-[0-9a-f]{17}/, 'i-00000000000000000'),
    ])
      expect(await join(wrong, host)).toMatch(/no right to join of this installation|The body must be/);
    expect(asked).toEqual([]);
  });
});

describe('a caller', () => {
  const session = (name: string, type: Principal['type'] = 'assumed-role'): Principal => ({
    type,
    account,
    arn: `arn:aws:sts::${account}:assumed-role/node/${name}`,
    id: 'A',
  });

  test('is a machine by its session and its host, in the cluster of its group alone', async () => {
    const { bench, join, token, spec } = await launched();
    await join(token, host);
    const find = machineOf(bench.ports);
    const [machine] = await bench.machines();
    expect(await find({ account, principal: session(spec.id), hostSecret: host }, 'web')).toEqual({
      instance: machine?.instance,
      attributes: { 'ecs.instance-type': 'm5.large', 'ecs.ami-id': 'ami-1', 'slipway.auto-scaling-group': 'web' },
    });
    // Whoever may take on the role can call a session as they like; they are no host that has joined.
    await expect(find({ account, principal: session(spec.id), hostSecret: other }, 'web')).rejects.toThrow(
      /another host/,
    );
    await expect(find({ account, principal: session(spec.id) }, 'web')).rejects.toThrow(/another host/);
    await expect(find({ account, principal: session(spec.id), hostSecret: host }, 'default')).rejects.toThrow(
      /its group has it in the cluster web/,
    );
    expect(await find({ account, principal: session('task') }, 'web')).toBeUndefined();
    expect(await find({ account, principal: session(spec.id, 'user') }, 'web')).toBeUndefined();
  });

  test('is nobody when its machine was ended and it still runs', async () => {
    const { bench, join, token, spec } = await launched();
    await join(token, host);
    await bench.api.call('DeleteAutoScalingGroup', { AutoScalingGroupName: 'web', ForceDelete: true });
    await bench.look(3);
    expect(await bench.machines()).toEqual([]);
    const find = machineOf(bench.ports);
    await expect(find({ account, principal: session(spec.id), hostSecret: host }, 'web')).rejects.toThrow(
      /is not registered: no group has such a machine any more/,
    );
  });
});
