import { expect, test } from 'vitest';

import { World } from '../deployments/testing/world.ts';
import type { InstanceRecord, NetworkBinding, TaskDefinitionRecord, TaskRecord } from '../state/index.ts';

import { addressOf, targetPlace } from './target-place.ts';

const world = new World({ desired: 1 });
world.pass();
const [bare] = world.live();
const task: TaskRecord = { ...bare!, instanceId: 'abcdef0123456789abcdef0123456789' };
const host = { attributes: [{ name: 'slipway.address', value: '192.0.2.7' }] } as unknown as InstanceRecord;
const inMode = (networkMode?: string) => ({ definition: { networkMode } }) as TaskDefinitionRecord;
const wanted = { targetGroupArn: 'arn:group', containerName: 'app', containerPort: 80 };
const bound = (...networkBindings: NetworkBinding[]): TaskRecord => ({
  ...task,
  containers: task.containers.map((container) => ({ ...container, networkBindings })),
});
const ip = { bindIP: '0.0.0.0', protocol: 'tcp' } as const;

test.each<readonly [string, TaskRecord, TaskDefinitionRecord, object]>([
  [
    'on the port of its host that has its own',
    bound({ ...ip, protocol: 'udp', containerPort: 80, hostPort: 1 }, { ...ip, containerPort: 80, hostPort: 20_001 }),
    inMode(),
    { targetId: 'i-abcdef0123456789a', address: '192.0.2.7', port: 20_001 },
  ],
  [
    'within a range',
    bound({ ...ip, containerPortRange: '78-85', hostPortRange: '21078-21085' }),
    inMode('bridge'),
    { targetId: 'i-abcdef0123456789a', port: 21_080 },
  ],
  ["on its host's own port", task, inMode('host'), { targetId: 'i-abcdef0123456789a', address: '192.0.2.7', port: 80 }],
  [
    'on an interface of its own',
    { ...task, attachment: { address: '172.31.0.9' } as NonNullable<TaskRecord['attachment']> },
    inMode('awsvpc'),
    { targetId: '172.31.0.9', address: '172.31.0.9', port: 80 },
  ],
  ['not where its agent has not said the port', bound(), inMode(), { missing: expect.stringContaining('port 80') }],
  ['not without an interface', task, inMode('awsvpc'), { missing: 'it has no network interface' }],
])('a task answers %s', (_where, one, definition, place) => {
  expect(targetPlace(one, wanted, host, definition)).toMatchObject(place);
});

test('a task on a host that has not said where it is reached answers nowhere', () => {
  const silent = { attributes: [] } as unknown as InstanceRecord;
  for (const instance of [silent, undefined])
    expect(targetPlace(bound({ ...ip, containerPort: 80, hostPort: 1 }), wanted, instance, inMode())).toEqual({
      missing: expect.stringContaining('has not said at which address') as string,
    });
  expect(targetPlace(task, wanted, host, undefined)).toHaveProperty('missing');
});

test('ports that are published on one address are reached there', () => {
  const attributes = [...host.attributes, { name: 'slipway.published-on', value: '127.0.0.1' }];
  expect(addressOf({ attributes })).toBe('127.0.0.1');
});

test('a registration has one id, whoever makes it, and no other one has it', () => {
  const one = bound({ ...ip, containerPort: 80, hostPort: 1 }, { ...ip, containerPort: 81, hostPort: 2 });
  const idOf = (of: TaskRecord, more: object = {}): unknown =>
    (targetPlace(of, { ...wanted, ...more }, host, inMode()) as { id?: string }).id;
  const other = { ...one, arn: `${one.arn}x` };
  const ids = [idOf(one), idOf(one, { targetGroupArn: 'b' }), idOf(one, { containerPort: 81 }), idOf(other)];
  expect(new Set(ids).size).toBe(4);
  expect(idOf(one)).toBe(ids[0]);
  expect(ids[0]).toMatch(/^[0-9a-f]{16}$/);
});
