import { expect, test } from 'vitest';
import { softLimits } from './host-limits.ts';
import { hostsAway } from './hosts-away.ts';

const arn = (id: string): string => `arn:aws:ecs:us-east-1:000000000000:container-instance/default/${id}`;

test('hosts about which there is something to say are named with what the server says of them, however many there are', async () => {
  const asked: number[] = [];
  const client = {
    send: ({ input }: { input: { containerInstances: string[] } }) => {
      asked.push(input.containerInstances.length);
      const containerInstances = input.containerInstances.map((id) => ({
        containerInstanceArn: arn(id),
        agentConnected: id !== 'i7' && id !== 'i120',
        ...(id === 'i7' ? { statusReason: 'Its agent is away.' } : {}),
        ...(id === 'i9' ? { statusReason: 'Its Docker engine had containers.' } : {}),
      }));
      return Promise.resolve({ containerInstances });
    },
  };
  const ids = Array.from({ length: 150 }, (_, index) => `i${index}`);
  expect(await hostsAway(client as never, 'default', ids)).toEqual([
    'host i7: Its agent is away.',
    'host i9: Its Docker engine had containers.',
  ]);
  expect(asked).toEqual([100, 50]);
  expect(await hostsAway(client as never, 'default', [])).toEqual([]);
});

test('a host that limits containers and not tasks is named; one that says nothing or limits tasks is not', () => {
  const instance = (value?: string) => ({
    containerInstanceArn: arn('i1'),
    attributes: value === undefined ? [] : [{ name: 'slipway.limits', value }],
  });
  expect(softLimits(instance('container'))).toEqual([expect.stringMatching(/^host i1 limits containers, not tasks: /)]);
  for (const value of ['task', undefined]) expect(softLimits(instance(value))).toEqual([]);
});

test('a host of Fargate that only counts what tasks write is named', () => {
  const instance = (storage: string, ...more: string[]) => ({
    containerInstanceArn: arn('i1'),
    attributes: [{ name: 'slipway.storage', value: storage }, ...more.map((name) => ({ name }))],
  });
  const fargate = 'slipway.capability.fargate';
  expect(softLimits(instance('counted', fargate))).toEqual([
    expect.stringMatching(/^host i1 limits .* storage .* softly/),
  ]);
  expect(softLimits(instance('quota', fargate))).toEqual([]);
  expect(softLimits(instance('counted'))).toEqual([]);
});

test('a host that cannot isolate as it was told, and one that isolates single containers, are named', () => {
  const instance = (attributes: { name: string; value: string }[]) => ({ containerInstanceArn: arn('i1'), attributes });
  expect(softLimits(instance([{ name: 'slipway.isolation', value: 'none' }]))).toEqual([
    expect.stringMatching(/^host i1 was told to isolate tasks of Fargate and cannot, so that none comes: /),
  ]);
  const by = (containers: string) => [
    { name: 'slipway.isolation', value: 'vm' },
    { name: 'slipway.isolation.containers', value: containers },
  ];
  expect(softLimits(instance(by('one')))).toEqual([expect.stringMatching(/^host i1 isolates .* by vm, .* of one/)]);
  expect(softLimits(instance(by('several')))).toEqual([]);
});
