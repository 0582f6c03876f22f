import { randomBytes } from 'node:crypto';

import { systemClock } from '@slipway/storage/clock';
import { memoryRecords } from '@slipway/storage/records/memory';
import { expect, test, vi } from 'vitest';

import {
  clusterKeys,
  clusterPartition,
  type InstanceRecord,
  newId,
  type TaskRecord,
  toJson,
} from '../../state/index.ts';
import { contains, holds, parseAddress, parseCidr } from '../addresses/index.ts';
import { attachInterface, Networks, type SliceRecord, type VpcRecord } from '../records/index.ts';
import { attachTask, detachTasks, hostState, interfaceOf, NoInterface, taskNetworks, TaskInterfaces } from './index.ts';

const account = '000000000000';
const region = 'us-east-1';
const cluster = 'default';

function world(now = systemClock) {
  const records = memoryRecords(now);
  const networks = new Networks({
    records,
    clock: now,
    random: randomBytes,
    region,
    zonesOfHosts: () => Promise.resolve(['us-east-1a', 'us-east-1b']),
  });
  return { records, networks, resolver: taskNetworks(networks) };
}

const instance = (id: string, zone = 'us-east-1a', address = '192.0.2.7'): InstanceRecord =>
  ({
    id,
    status: 'ACTIVE',
    attributes: [
      { name: 'ecs.availability-zone', value: zone },
      { name: 'slipway.address', value: address },
    ],
  }) as unknown as InstanceRecord;

const host = (one: InstanceRecord) => ({ account, cluster, instance: one });

async function ask(networks: Networks, subnets?: string[]): Promise<TaskRecord> {
  const network = await networks.read(account);
  const all = network.all('subnet').map(({ id }) => id);
  const resolved = await taskNetworks(networks).resolve(account, { subnets: subnets ?? all });
  return { id: newId(randomBytes), network: resolved } as TaskRecord;
}

test('hosts never give the same address to two tasks, however many ask at once', async () => {
  const { networks, records } = world();
  // Another server beside it, which knows nothing of the first one's queue.
  const other = new Networks({
    records,
    clock: systemClock,
    random: randomBytes,
    region,
    zonesOfHosts: () => Promise.resolve(['us-east-1a', 'us-east-1b']),
  });
  const hosts = Array.from({ length: 4 }, (_, at) => instance(`host${at}`, at % 2 === 0 ? 'us-east-1a' : 'us-east-1b'));
  const tasks = await Promise.all(Array.from({ length: 120 }, () => ask(networks)));
  const given = await Promise.all(
    tasks.map((task, at) =>
      attachTask({ records, networks: at % 3 === 0 ? other : networks }, host(hosts[at % 4] ?? instance('')), task),
    ),
  );
  expect(new Set(given.map(({ address }) => address)).size).toBe(120);
  // Each address is of the ranges that its host alone has.
  const slices = await networks.change(account, (draft) => draft.slices());
  for (const [at, { address }] of given.entries()) {
    const owner = slices.find(({ cidr }) =>
      holds(parseCidr(cidr) ?? { base: 0, length: 32 }, parseAddress(address) ?? 0),
    );
    expect(owner?.instanceId).toBe(`host${at % 4}`);
  }
  for (const [at, one] of slices.entries()) {
    const range = parseCidr(one.cidr);
    const others = slices.filter((_, index) => index !== at).flatMap(({ cidr }) => parseCidr(cidr) ?? []);
    expect(others.some((slice) => range !== undefined && contains(slice, range))).toBe(false);
  }
});

test('networks that have the same addresses give them to one task all the same, whichever server is asked', async () => {
  const { networks, records } = world();
  const others = Array.from(
    { length: 3 },
    () => new Networks({ records, clock: systemClock, random: randomBytes, region, zonesOfHosts: async () => [] }),
  );
  const subnets = await networks.change(account, (draft) =>
    // Ranges of several lengths, each at the same place.
    [26, 28, 29, 24].map((length) => {
      const vpc = { ...(draft.defaultVpc as VpcRecord), id: draft.newId('vpc', ''), isDefault: false };
      draft.put('vpc', vpc);
      const id = draft.newId('subnet', '');
      const made = { isDefault: false, mapPublicIpOnLaunch: false, tags: {} };
      draft.put('subnet', { ...made, id, vpcId: vpc.id, cidr: `10.9.0.0/${length}`, zone: 'us-east-1a' });
      return id;
    }),
  );
  const given = await Promise.all(
    subnets.flatMap((subnet, at) =>
      ['a', 'b'].map(async (name) => {
        const task = {
          id: newId(randomBytes),
          network: { subnets: [subnet], securityGroups: [] },
        } as unknown as TaskRecord;
        const server = [networks, ...others][at] ?? networks;
        return attachTask({ records, networks: server }, host(instance(`${name}${at}`)), task).catch(
          (error: unknown) => {
            // A range of eight is soon nobody's any more.
            if (!(error instanceof NoInterface)) throw error;
            return undefined;
          },
        );
      }),
    ),
  );
  const addresses = given.flatMap((one) => one?.address ?? []);
  expect(addresses.length).toBeGreaterThan(2);
  expect(new Set(addresses).size).toBe(addresses.length);
});

test('asking twice gives the same; what is gone is given back once, and somebody else gets it', async () => {
  const { networks, records } = world();
  const one = await ask(networks);
  const first = await attachTask({ records, networks }, host(instance('a')), one);
  expect(await attachTask({ records, networks }, host(instance('a')), one)).toEqual(first);
  expect(first).toMatchObject({
    address: '10.200.0.4',
    mac: '02:53:0a:c8:00:04',
    privateDnsName: 'ip-10-200-0-4.ec2.internal',
    outside: false,
  });
  expect(first.networkInterface).toBe(interfaceOf(one.id));
  await detachTasks(records, account, [first.networkInterface]);
  await detachTasks(records, account, [first.networkInterface]);
  expect(await networks.interfaces(account)).toEqual([]);
  expect((await attachTask({ records, networks }, host(instance('a')), await ask(networks))).address).toBe(
    '10.200.0.4',
  );
});

test('a public address leads outside through the gateway of the default network, a private one does not', async () => {
  const { networks, records } = world();
  const task = await ask(networks);
  const open = {
    ...task,
    id: newId(randomBytes),
    network: { ...task.network, assignPublicIp: 'ENABLED' },
  } as TaskRecord;
  expect((await attachTask({ records, networks }, host(instance('a')), task)).outside).toBe(false);
  expect((await attachTask({ records, networks }, host(instance('a')), open)).outside).toBe(true);
});

test('says why a task gets none: no subnet in the zone of its host, no address left, a group that is gone', async () => {
  const { networks, records } = world();
  const network = await networks.read(account);
  const b = network.all('subnet').find(({ zone }) => zone === 'us-east-1b');
  await expect(
    attachTask({ records, networks }, host(instance('a')), await ask(networks, [b?.id ?? ''])),
  ).rejects.toThrow(/none of the subnets subnet-\w+ is in the zone us-east-1a/);
  const small = await networks.change(account, (draft) => {
    const record = {
      id: draft.newId('subnet', ''),
      vpcId: network.defaultVpc?.id ?? '',
      cidr: '10.200.255.0/28',
      zone: 'us-east-1a',
      isDefault: false,
      mapPublicIpOnLaunch: false,
      tags: {},
    };
    draft.put('subnet', record);
    return record.id;
  });
  // Sixteen addresses, of which EC2 keeps five.
  for (let count = 0; count < 11; count += 1)
    await attachTask({ records, networks }, host(instance('a')), await ask(networks, [small]));
  await expect(attachTask({ records, networks }, host(instance('a')), await ask(networks, [small]))).rejects.toThrow(
    /have no free addresses/,
  );
  const task = await ask(networks);
  const gone = { ...task, network: { ...task.network, securityGroups: ['sg-00000000000000000'] } } as TaskRecord;
  await expect(attachTask({ records, networks }, host(instance('a')), gone)).rejects.toThrow(
    /security group .* any more/,
  );
});

test('refuses network configurations in the words of ECS', async () => {
  const { networks, resolver } = world();
  const network = await networks.read(account);
  const [subnet] = network.all('subnet');
  const refused = (wanted: Parameters<typeof resolver.resolve>[1]): Promise<string> =>
    resolver.resolve(account, wanted).then(
      () => 'taken',
      (error: Error) => error.message,
    );
  expect(await refused({ subnets: [] })).toBe('subnets can not be empty.');
  expect(await refused({ subnets: ['subnet-1'] })).toBe("The subnet ID 'subnet-1' does not exist");
  expect(await refused({ subnets: [subnet?.id ?? ''], securityGroups: ['sg-1'] })).toBe(
    "The security group 'sg-1' does not exist",
  );
  expect(await refused({ subnets: Array.from({ length: 17 }, (_, at) => `subnet-${at}`) })).toMatch(/at most 16/);
  expect(
    await refused({
      subnets: [subnet?.id ?? ''],
      securityGroups: ['1', '2', '3', '4', '5', '6'].map((id) => `sg-${id}`),
    }),
  ).toMatch(/at most 5/);
  expect(await refused({ subnets: [subnet?.id ?? ''], assignPublicIp: 'MAYBE' as 'ENABLED' })).toMatch(
    /ENABLED or DISABLED/,
  );
});

test('tells each host the groups of its tasks, who is in the groups that they name, and where the others are', async () => {
  const { networks, records } = world();
  const interfaces = new TaskInterfaces({ records, networks, clock: systemClock, log: quiet });
  const ref = (id: string) => ({ account, cluster, id });
  let changed = Promise.withResolvers<void>();
  interfaces.watch(account, () => changed.resolve());
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) {
      await changed.promise;
      changed = Promise.withResolvers();
    }
  };
  expect(interfaces.of(ref('a'))).toBeUndefined();
  const task = await ask(networks);
  const [a, b] = [instance('a', 'us-east-1a', '192.0.2.1'), instance('b', 'us-east-1b', '192.0.2.2')];
  const one = await interfaces.attach(ref('a'), a, task);
  const two = await interfaces.attach(ref('b'), b, await ask(networks));
  if ('refused' in one || 'refused' in two) throw new Error('refused');
  await until(() => (interfaces.of(ref('a'))?.peers.length ?? 0) > 0);
  const [group] = one.securityGroups;
  expect(interfaces.of(ref('a'))).toEqual({
    address: '192.0.2.1',
    blocks: [
      { cidr: '10.200.0.0/28', vpc: one.vpc },
      { cidr: '10.200.16.0/28', vpc: one.vpc },
    ],
    groups: [
      {
        id: group,
        ingress: [{ protocol: '-1', peer: { group } }],
        egress: [{ protocol: '-1', peer: { cidr: '0.0.0.0/0' } }],
      },
    ],
    members: { [group ?? '']: [one.address, two.address] },
    peers: [{ address: '192.0.2.2', blocks: ['10.200.16.0/28'] }],
  });
  // Only what is surely gone is given back: a task that whoever asks does not know may have been placed just now.
  const write = (id: string, lastStatus: TaskRecord['lastStatus']) =>
    records.commit(clusterPartition(account, cluster), {
      put: [{ key: clusterKeys.task(id), value: toJson({ ...task, id, lastStatus }) }],
    });
  for (const status of ['PENDING', 'DEPROVISIONING'] as const) {
    await write(task.id, status);
    await interfaces.keep(ref('a'), a, new Set());
    expect(await networks.interfaces(account)).toHaveLength(2);
  }
  await write(task.id, 'STOPPED');
  await interfaces.keep(ref('a'), a, new Set([task.id]));
  expect(await networks.interfaces(account)).toHaveLength(2);
  await interfaces.keep(ref('a'), a, new Set());
  await until(() => interfaces.of(ref('b'))?.members[group ?? '']?.length === 1);
  await interfaces.close();
});

test('hosts hear of the encrypted tunnels of others, and of what has changed of a host with its next task', async () => {
  const { networks, records } = world();
  const interfaces = new TaskInterfaces({ records, networks, clock: systemClock, log: quiet });
  const ref = (id: string) => ({ account, cluster, id });
  const end = (letter: string): string => `${letter.repeat(43)}:51820`;
  const sealed = (id: string, address: string, tunnel: string): InstanceRecord => {
    const plain = instance(id, 'us-east-1a', address);
    return { ...plain, attributes: [...plain.attributes, { name: 'slipway.wireguard', value: tunnel }] };
  };
  const attach = async (one: InstanceRecord) =>
    attachTask({ records, networks }, { account, cluster, instance: one }, await ask(networks));
  await attach(sealed('a', '192.0.2.1', end('a')));
  // What is no end of a tunnel reaches nobody: its host would be told a state that it refuses.
  await attach(sealed('b', '192.0.2.2', 'AllowedIPs = 0.0.0.0/0'));
  await attach(sealed('b', '192.0.2.2', `${'b'.repeat(43)}:65536`));
  await vi.waitFor(
    () => expect(interfaces.of(ref('a'))?.peers).toEqual([{ address: '192.0.2.2', blocks: ['10.200.0.16/28'] }]),
    60_000,
  );
  expect(interfaces.of(ref('a'))?.tunnel).toBe(end('a'));
  await attach(sealed('b', '192.0.2.3', end('b')));
  const moved = { address: '192.0.2.3', blocks: ['10.200.0.16/28'], tunnel: end('b') };
  await vi.waitFor(() => expect(interfaces.of(ref('a'))?.peers).toEqual([moved]), 60_000);
  // Its kernel has none any more, which others hear with its next task, or as soon as it says so.
  await attach(instance('b', 'us-east-1a', '192.0.2.3'));
  const { tunnel: _, ...plain } = moved;
  await vi.waitFor(() => expect(interfaces.of(ref('a'))?.peers).toEqual([plain]), 60_000);
  await interfaces.keep(ref('b'), sealed('b', '192.0.2.4', end('b')), new Set());
  await vi.waitFor(() => expect(interfaces.of(ref('a'))?.peers).toEqual([{ ...moved, address: '192.0.2.4' }]), 60_000);
  await interfaces.close();
});

test('an address that is said with two ends of tunnels, and a key that is said for two addresses, are sealed for nobody', async () => {
  const { networks } = world();
  const network = await networks.read(account);
  let given = 0;
  const slice = (instanceId: string, hostAddress: string, letter?: string, more: object = {}): SliceRecord => {
    const hostTunnel = letter === undefined ? {} : { hostTunnel: `${letter.padStart(43, letter[0])}:51820` };
    given += 1;
    const where = { cidr: `10.200.${given}.0/28`, subnetId: 'subnet-1', vpcId: 'vpc-1', cluster };
    return { ...where, instanceId, hostAddress, ...hostTunnel, ...more };
  };
  const [a, c] = [slice('a', '192.0.2.1', 'a'), slice('c', '192.0.2.3', 'c')];
  const ends = (...more: SliceRecord[]): object =>
    Object.fromEntries(
      (hostState('c', network, [a, c, ...more], [])?.peers ?? []).map(({ address, tunnel }) => [
        address.slice('192.0.2.'.length),
        tunnel?.[0],
      ]),
    );
  const own = (...more: SliceRecord[]) => hostState('a', network, [a, c, ...more], [])?.tunnel?.[0];
  // Another agent of its machine, with a tunnel and without.
  for (const letter of ['b', undefined]) {
    const beside = slice('b', '192.0.2.1', letter);
    expect([ends(beside), own(beside)]).toEqual([{ 1: undefined }, undefined]);
  }
  // Who says its key, also by other letters for the same bits, gets nothing that is for it.
  for (const key of ['a', 'ab']) {
    const other = slice('b', '192.0.2.2', key);
    expect([ends(other), own(other)]).toEqual([{ 1: undefined, 2: undefined }, undefined]);
  }
  // The same agent that registered anew is one host, and what is gone from its cluster says nothing.
  const again = slice('b', '192.0.2.1', 'a');
  const gone = slice('b', '192.0.2.1', 'b', { orphanedAt: 1 });
  for (const one of [again, gone, slice('b', '192.0.2.2', 'b')])
    expect([ends(one), own(one)]).toEqual([one.hostAddress === '192.0.2.2' ? { 1: 'a', 2: 'b' } : { 1: 'a' }, 'a']);
});

test('a host hears where those are that share a VPC with it, and of others no more than that their ranges are not its own', async () => {
  const { networks } = world();
  const network = await networks.read(account);
  const slice = (instanceId: string, number: number, vpcId: string): SliceRecord => ({
    cidr: `10.200.${number}.0/28`,
    subnetId: 'subnet-1',
    vpcId,
    cluster,
    instanceId,
    hostAddress: `192.0.2.${instanceId.charCodeAt(0)}`,
  });
  const slices = [slice('a', 1, 'vpc-1'), slice('b', 2, 'vpc-2'), slice('c', 3, 'vpc-1'), slice('c', 4, 'vpc-2')];
  const peers = (host: string) =>
    hostState(host, network, slices, [])?.peers.map(({ address, blocks }) => [address, blocks]);
  const [a, b, c] = ['192.0.2.97', '192.0.2.98', '192.0.2.99'];
  expect(peers('a')).toEqual([[c, ['10.200.3.0/28']]]);
  expect(peers('b')).toEqual([[c, ['10.200.4.0/28']]]);
  expect(peers('c')).toEqual([
    [a, ['10.200.1.0/28']],
    [b, ['10.200.2.0/28']],
  ]);
  expect(hostState('a', network, slices, [])?.blocks).toHaveLength(4);
});

/** A host with one task's address, and servers that look for hosts which are gone. */
async function openHost() {
  const times = { wall: 1_000_000, passed: 0 };
  const clock = { ...systemClock, now: () => times.wall, monotonic: () => times.passed };
  const { networks, records } = world(clock);
  const write = (status: InstanceRecord['status']) =>
    records.commit(clusterPartition(account, cluster), {
      put: [{ key: clusterKeys.instance('a'), value: toJson({ ...instance('a'), status }) }],
    });
  await write('ACTIVE');
  await attachTask({ records, networks }, host(instance('a')), await ask(networks));
  return {
    times,
    write,
    /** A server whose monotonic clock begins anywhere. */
    server: (ahead = 0) =>
      new TaskInterfaces({
        records,
        networks,
        clock: { ...clock, monotonic: () => times.passed + ahead },
        log: quiet,
      }),
    pass: (hours: number) => {
      times.passed += hours * 3_600_000;
      times.wall += hours * 3_600_000;
    },
    left: async (): Promise<number[]> => [
      (await networks.change(account, (draft) => draft.slices())).length,
      (await networks.interfaces(account)).length,
    ],
  };
}

test('what a host had stays its own for a day after it is gone, and longer than that only if it came back', async () => {
  const { write, server, pass, left } = await openHost();
  const interfaces = server();
  await interfaces.sweep(account);
  await write('INACTIVE');
  await interfaces.sweep(account);
  pass(23);
  await interfaces.sweep(account);
  expect(await left()).toEqual([1, 1]);
  await write('ACTIVE');
  await interfaces.sweep(account);
  pass(2);
  await write('INACTIVE');
  await interfaces.sweep(account);
  expect(await left()).toEqual([1, 1]);
  pass(24);
  await interfaces.sweep(account);
  expect(await left()).toEqual([0, 0]);
  await interfaces.close();
});

test('no wall clock gives the addresses of a host that is gone to others, and none keeps them', async () => {
  const { times, write, server, pass, left } = await openHost();
  const interfaces = server();
  await write('INACTIVE');
  await interfaces.sweep(account);
  for (const wrong of [10 * 365 * 24 * 3_600_000, -20 * 365 * 24 * 3_600_000]) {
    times.wall += wrong;
    pass(11);
    await interfaces.sweep(account);
    expect(await left()).toEqual([1, 1]);
  }
  pass(2);
  await interfaces.sweep(account);
  expect(await left()).toEqual([0, 0]);
  await interfaces.close();
});

test('servers that look one after another, or at the same time, count the time that a host is gone once', async () => {
  const { write, server, pass, left } = await openHost();
  const servers = [server(), server(1e9), server(-1e9)];
  await write('INACTIVE');
  for (let hour = 0; hour < 24; hour++) {
    for (const one of servers) await one.sweep(account);
    await Promise.all(servers.map((one) => one.sweep(account)));
    expect(await left(), `after ${hour} h`).toEqual([1, 1]);
    pass(1);
  }
  // Whoever takes over counts on, but for the time in which nobody looked.
  await Promise.all(servers.map((one) => one.close()));
  pass(24);
  const last = server(5);
  await last.sweep(account);
  expect(await left()).toEqual([1, 1]);
  pass(2);
  await last.sweep(account);
  expect(await left()).toEqual([0, 0]);
  await last.close();
});

test('a range of a host that is gone gives no address out any more, and goes when nobody has one of it', async () => {
  const { networks, records } = world();
  const interfaces = new TaskInterfaces({ records, networks, clock: systemClock, log: quiet });
  const write = (status: InstanceRecord['status']) =>
    records.commit(clusterPartition(account, cluster), {
      put: [{ key: clusterKeys.instance('a'), value: toJson({ ...instance('a'), status }) }],
    });
  await write('ACTIVE');
  const wanted = await ask(networks);
  const attach = (id: string) => attachTask({ records, networks }, host(instance('a')), { ...wanted, id });
  const one = await attach('1'.repeat(32));
  const slices = async (): Promise<string[]> => {
    await interfaces.sweep(account);
    return (await networks.change(account, (draft) => draft.slices())).map(({ cidr }) => cidr);
  };
  const [first] = await slices();
  await write('INACTIVE');
  expect([await slices(), await slices()]).toEqual([[first], [first]]);
  // A server that has not heard of its end yet: the address is of a range that goes as well, once it is given back.
  const late = await attach('2'.repeat(32));
  expect(await slices()).toHaveLength(2);
  for (const { networkInterface } of [one, late])
    await interfaces.release({ account, cluster, id: 'a' }, networkInterface);
  expect(await slices()).toEqual([]);
  // One that had the range in mind when it was orphaned, and one of another host.
  await write('ACTIVE');
  const again = await attach('3'.repeat(32));
  const [stored] = await networks.interfaces(account);
  const [range = ''] = await slices();
  await interfaces.release({ account, cluster, id: 'a' }, again.networkInterface);
  const other = { ...stored!, task: { ...stored!.task!, instanceId: 'b' } };
  expect(await attachInterface(records, account, other, range)).toBe('slice');
  await write('INACTIVE');
  expect(await slices()).toEqual([range]);
  expect(await attachInterface(records, account, stored!, range)).toBe('slice');
  expect(await slices()).toEqual([]);
  expect(await attachInterface(records, account, stored!, range)).toBe('slice');
  await interfaces.close();
});

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined, debug: () => undefined } as never;
