import { execFileSync } from 'node:child_process';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { NetworkState } from '../../wire/index.ts';
import { type Attachment, NetworkError, TaskNetwork, type TaskNetworkOptions } from './index.ts';
import { networkMissing } from '../../testing/test-engine.ts';
import {
  ask,
  children,
  endNamespaces,
  inside,
  namespace,
  ownMachine,
  reach,
  ready,
  serve,
  until,
} from '../../testing/namespaces.ts';
import { listLinks } from './links.ts';
import { nameServersIn } from './name-servers.ts';
import { filterTable } from './packet-filter.ts';
import { applyPeers } from './peers.ts';
import { prefixOf } from './attachment.ts';

const can = (await ownMachine()) ?? (await networkMissing());
if (can !== undefined && process.env['CI'] === 'true') throw new Error(can);

// Addresses for measurements between networks (RFC 2544), which nobody else has.
let count = 0;
function attachment(securityGroups: string[], more: Partial<Attachment> = {}): Attachment {
  count += 1;
  const hex = count.toString(16).padStart(2, '0');
  const address = `198.19.7.${count}`;
  return {
    id: `eni-0000${hex}`,
    address,
    mac: `02:00:00:00:07:${hex}`,
    vpc: 'vpc-1',
    securityGroups,
    outside: true,
    ...more,
  };
}

type Permission = NetworkState['groups'][number]['ingress'][number];
const everything: Permission = { protocol: '-1', peer: { cidr: '0.0.0.0/0' } };
const group = (id: string, ingress: Permission[], egress: Permission[] = [everything]) => ({ id, ingress, egress });
const blocks = [
  { cidr: '198.19.7.0/25', vpc: 'vpc-1' },
  { cidr: '198.19.7.128/25', vpc: 'vpc-2' },
];
const state = (groups: NetworkState['groups'], members: NetworkState['members'] = {}): NetworkState => ({
  blocks,
  groups,
  members,
  peers: [],
  address: '127.0.0.1',
});

const agentId = `test-${process.pid}`;
const told: unknown[] = [];
const engineRange = '198.19.8.0/24';
const options: TaskNetworkOptions = {
  agentId,
  endpointPort: 51_679,
  engineNetworks: async () => [engineRange],
  nameServers: async () => ['192.0.2.53'],
  log: { info: (fields) => told.push(fields), warn: () => undefined, error: () => undefined },
};
let network: TaskNetwork;

beforeEach(async () => {
  count = 0;
  told.length = 0;
  network = new TaskNetwork(options);
  if (can !== undefined) return;
  await ready(network);
  await network.apply(state([group('sg-a', [])]));
});

afterEach(async () => {
  endNamespaces();
  for (let id = 1; id <= count; id += 1) await network.detach(`eni-0000${id.toString(16).padStart(2, '0')}`);
  await network.sweep();
  await network.close();
});

describe.skipIf(can !== undefined)('tasks with addresses of their own', () => {
  test('meet by their own addresses, where a group lets them, and nowhere else', async () => {
    const [one, two] = [attachment(['sg-a']), attachment(['sg-b'])];
    const [here, there] = await Promise.all([namespace(), namespace()]);
    await network.apply(
      state([group('sg-a', []), group('sg-b', [{ protocol: 'tcp', from: 80, to: 81, peer: { group: 'sg-a' } }])], {
        'sg-a': [one.address],
      }),
    );
    await Promise.all([network.attach(one, here), network.attach(two, there)]);
    await serve(there, 80, 'two');
    await serve(there, 82, 'closed');
    await serve(here, 80, 'one');
    expect(await reach(here, two.address, 80)).toBe(`two sees ${one.address}`);
    expect(await ask(here, two.address, 82)).toBeUndefined();
    expect(await ask(there, one.address, 80)).toBeUndefined();
    // Nor does the host itself get past a group.
    expect(await ask(0, two.address, 80)).toBeUndefined();
  });

  test('rules change while tasks run: what was let through before goes on, what is new follows the new rules', async () => {
    const [one, two] = [attachment(['sg-a']), attachment(['sg-b'])];
    const [here, there] = await Promise.all([namespace(), namespace()]);
    const open = (port: number): Permission => ({
      protocol: 'udp',
      from: port,
      to: port,
      peer: { cidr: '198.19.7.0/28' },
    });
    await network.apply(state([group('sg-a', []), group('sg-b', [open(53)])]));
    await network.attach(one, here);
    await network.attach(two, there);
    await serve(there, 53, 'names', 'udp');
    await serve(there, 54, 'other', 'udp');
    expect(await reach(here, two.address, 53, 'udp')).toBe('names');
    expect(await ask(here, two.address, 54, 'udp')).toBeUndefined();
    await network.apply(state([group('sg-a', []), group('sg-b', [open(54)])]));
    expect(await reach(here, two.address, 54, 'udp')).toBe('other');
    expect(await ask(here, two.address, 53, 'udp')).toBeUndefined();
    await network.apply(state([group('sg-a', [], []), group('sg-b', [open(54)])]));
    expect(await ask(here, two.address, 54, 'udp')).toBeUndefined();
  });

  test('tasks of different VPCs never meet, whatever their rules say', async () => {
    const one = attachment(['sg-a']);
    const two = attachment(['sg-a'], { address: '198.19.7.130', vpc: 'vpc-2' });
    const [here, there] = await Promise.all([namespace(), namespace()]);
    await network.apply(state([group('sg-a', [everything])]));
    await network.attach(one, here);
    await network.attach(two, there);
    await serve(there, 80, 'two');
    expect(await ask(here, two.address, 80)).toBeUndefined();
    await network.detach(two.id);
    await network.attach({ ...two, id: 'eni-000002', vpc: 'vpc-1', address: '198.19.7.9' }, there);
    expect(await reach(here, '198.19.7.9', 80)).toBe(`two sees ${one.address}`);
  });

  test('no task sends from an address that is not its own, or to the metadata service of a cloud', async () => {
    const [one, two] = [attachment(['sg-a']), attachment(['sg-a'])];
    const [here, there] = await Promise.all([namespace(), namespace()]);
    await network.apply(state([group('sg-a', [everything])]));
    await network.attach(one, here);
    await network.attach(two, there);
    await serve(there, 80, 'two');
    const asForeign = (address: string): string =>
      `const s = require('net').connect({ port: 80, host: '${two.address}', localAddress: '${address}' }); s.setTimeout(700, () => s.destroy()); s.on('data', (d) => process.stdout.write(d)); s.on('error', () => {})`;
    execFileSync('nsenter', inside(here, ['ip', 'addr', 'add', '198.19.7.77/32', 'dev', 'eth0']));
    const said = (address: string): string =>
      execFileSync('nsenter', inside(here, [process.execPath, '-e', asForeign(address)])).toString();
    await until(() => said(one.address) === `two sees ${one.address}`);
    expect(said('198.19.7.77')).toBe('');
  });

  test('a link that was half made is made anew; one that is complete stays', async () => {
    const one = attachment(['sg-a']);
    const pid = await namespace();
    await network.attach(one, pid);
    const [link] = await listLinks(prefixOf(agentId));
    expect(link?.complete).toBe(true);
    const index = (): string =>
      execFileSync('ip', ['-o', 'link', 'show', link?.name ?? ''])
        .toString()
        .split(':')[0] ?? '';
    const before = index();
    await network.attach(one, pid);
    expect(index()).toBe(before);
    execFileSync('ip', ['link', 'set', link?.name ?? '', 'alias', 'half']);
    await network.attach(one, pid);
    expect(index()).not.toBe(before);
    expect((await listLinks(prefixOf(agentId))).map(({ complete }) => complete)).toEqual([true]);
  });

  test("an address that a task still has is no other one's", async () => {
    const one = attachment(['sg-a']);
    const two = { ...attachment(['sg-a']), address: one.address };
    const [here, there] = await Promise.all([namespace(), namespace()]);
    await network.attach(one, here);
    await expect(network.attach(two, there)).rejects.toThrow(/198\.19\.7\.1 is still that of eni-000001/);
    await network.detach(one.id);
    await network.attach(two, there);
    expect(await listLinks(prefixOf(agentId))).toHaveLength(1);
  });

  test('what is prepared waits for its process, and says only then what is wrong with it', async () => {
    const one = attachment(['sg-a']);
    const two = { ...attachment(['sg-a']), address: one.address };
    const [here, there] = await Promise.all([namespace(), namespace()]);
    for (const task of [one, one, two]) network.prepare(task);
    await network.attach(one, here);
    await serve(here, 80, 'one');
    await network.apply(state([group('sg-a', [everything])]));
    expect(await reach(0, one.address, 80)).toMatch(/^one/);
    await expect(network.attach(two, there)).rejects.toThrow(/is still that of eni-000001/);
    await network.detach(one.id);
    await network.attach(two, there);
    expect((await listLinks(prefixOf(agentId))).map(({ complete }) => complete)).toEqual([true]);
  });

  test('what was given up before anything was known of the network takes no address', async () => {
    const late = new TaskNetwork(options);
    const one = attachment(['sg-a']);
    const two = { ...attachment(['sg-a']), address: one.address };
    late.prepare(one);
    const attached = late.attach(one, 0).catch((error: unknown) => String(error));
    await late.detach(one.id);
    await late.apply(state([group('sg-a', [everything])]));
    expect(await attached).toContain('was given up before it was made');
    await late.attach(two, await namespace());
    expect(await listLinks(prefixOf(agentId))).toHaveLength(1);
    await late.detach(two.id);
  });

  test('nothing is left of a task that is gone, nor of one whose agent was killed', async () => {
    const tasks = Array.from({ length: 20 }, () => attachment(['sg-a']));
    const pids = await Promise.all(tasks.map(() => namespace()));
    await Promise.all(tasks.map((task, at) => network.attach(task, pids[at] ?? 0)));
    const routes = (): string => execFileSync('ip', ['route']).toString();
    expect(routes().match(/198\.19\.7\./g)).toHaveLength(20);
    for (const task of tasks.slice(0, 10)) await network.detach(task.id);
    expect(await listLinks(prefixOf(agentId))).toHaveLength(10);
    // The next run knows one of them.
    const next = new TaskNetwork(options);
    next.adopt(tasks[10] ?? attachment([]));
    expect(await next.sweep()).toBe(9);
    expect(await listLinks(prefixOf(agentId))).toHaveLength(1);
    expect(routes().match(/198\.19\.7\./g)).toHaveLength(1);
    await next.detach(tasks[10]?.id ?? '');
    await next.close();
    expect(routes()).not.toMatch(/198\.19\.7\./);
    expect(execFileSync('nft', ['list', 'tables']).toString()).not.toContain(prefixOf(agentId));
  });

  test('rules of an agent that was killed go when its last link is gone, and come back with its next one', async () => {
    const idle = `${agentId}-idle`;
    const other = new TaskNetwork({ ...options, agentId: idle });
    await ready(other);
    await other.apply({ ...state([group('sg-a', [])]), blocks: [] });
    const rules = (of: string): number =>
      execFileSync('iptables', ['-w', '5', '-S', 'DOCKER-USER'])
        .toString()
        .split(`${prefixOf(of)}+`).length - 1;
    const task = attachment(['sg-a'], { id: 'eni-0000fe', address: '198.19.7.120' });
    await other.attach(task, await namespace());
    await network.sweep();
    expect([rules(idle), rules(agentId)]).toEqual([2, 2]);
    await other.detach(task.id);
    await network.sweep();
    expect([rules(idle), rules(agentId)]).toEqual([0, 2]);
    await other.attach(task, await namespace());
    expect(rules(idle)).toBe(2);
    await other.detach(task.id);
    await other.close();
    expect(rules(idle)).toBe(0);
  });

  test('a namespace that is gone is an error that says so, and leaves nothing', async () => {
    const pid = await namespace();
    children.at(-1)?.kill('SIGKILL');
    await until(() => {
      try {
        process.kill(pid, 0);
        return false;
      } catch {
        return true;
      }
    });
    await expect(network.attach(attachment(['sg-a']), pid)).rejects.toThrow(NetworkError);
    expect(await listLinks(prefixOf(agentId))).toEqual([]);
  });

  test('peers that are no neighbours are reached through a tunnel, which goes with the last of them', async () => {
    const far = (address: string, block: string) => ({ address, blocks: [block], way: 'vxlan' as const, mtu: 1_450 });
    const shown = (...words: string[]): string => execFileSync('ip', words).toString();
    try {
      await applyPeers(
        [far('198.51.100.1', '198.19.200.0/28'), far('198.51.100.2', '198.19.200.16/28')],
        '127.0.0.1',
        7,
      );
      expect(shown('route', 'show', 'proto', '197')).toMatch(
        /198\.19\.200\.0\/28 via 198\.51\.100\.1 dev slipway-vxlan metric 7 onlink[^]*198\.19\.200\.16\/28 via 198\.51\.100\.2 dev slipway-vxlan/,
      );
      expect(shown('neigh', 'show', 'dev', 'slipway-vxlan')).toContain(
        '198.51.100.2 lladdr 02:53:c6:33:64:02 PERMANENT',
      );
      expect(execFileSync('bridge', ['fdb', 'show', 'dev', 'slipway-vxlan']).toString()).toContain(
        '02:53:c6:33:64:02 dst 198.51.100.2 self permanent',
      );
      await applyPeers([far('198.51.100.2', '198.19.200.16/28')], '127.0.0.1', 7);
      expect(shown('route', 'show', 'proto', '197')).not.toContain('198.19.200.0/28');
    } finally {
      await applyPeers([], '127.0.0.1', 7);
    }
    expect(shown('-o', 'link')).not.toContain('slipway-vxlan');
    expect(shown('route', 'show', 'proto', '197')).toBe('');
  });

  test('packets are as large as the way to others takes them, and whoever sends more is told', async () => {
    const uplink = await namespace();
    execFileSync('ip', ['-batch', '-'], {
      input: [
        `link add up0 mtu 1400 type veth peer name eth0 netns ${uplink}`,
        'addr add 198.19.9.1/24 dev up0',
        'link set up0 up',
        'route add default via 198.19.9.2',
        '',
      ].join('\n'),
    });
    try {
      const sizes = (pid: number): string[] =>
        [
          ...execFileSync('nsenter', inside(pid, ['ip', '-o', 'link', 'show', 'eth0']))
            .toString()
            .matchAll(/mtu (\d+)/g),
        ].map(([, size = '']) => size);
      const near = { address: '198.19.9.3', blocks: ['198.19.200.0/28'] };
      const far = { address: '198.51.100.1', blocks: ['198.19.7.64/28'] };
      const [alone, plain, tunnelled] = [await namespace(), await namespace(), await namespace()];
      const open = [group('sg-a', [everything])];
      await network.apply(state(open));
      await network.attach(attachment(['sg-a']), alone);
      expect(sizes(alone)).toEqual(['1400']);
      const hostEnds = (await listLinks(prefixOf(agentId))).map(({ name }) =>
        execFileSync('ip', ['-o', 'link', 'show', name]).toString(),
      );
      expect(hostEnds).toEqual([expect.stringContaining('mtu 1400')]);
      const own = { ...state(open), address: '198.19.9.1' };
      await network.apply({ ...own, peers: [near] });
      await network.attach(attachment(['sg-a']), plain);
      expect(sizes(plain)).toEqual(['1400']);
      await network.apply({ ...own, peers: [near, far] });
      await network.attach(attachment(['sg-a']), tunnelled);
      expect(sizes(tunnelled)).toEqual(['1350']);
      // Said when it changes, not with every task.
      expect(told).toEqual([
        { uplink: 'none', uplinkMtu: 1500, mtu: 1500 },
        { uplink: 'up0', uplinkMtu: 1400, mtu: 1400 },
        { uplink: 'up0', uplinkMtu: 1400, mtu: 1350 },
      ]);
      expect(execFileSync('ip', ['-o', 'link', 'show', 'slipway-vxlan']).toString()).toContain('mtu 1350');
      // One that was there before sends too much for the tunnel, once.
      const large = `const s = require('dgram').createSocket('udp4'); s.on('error', () => {}); s.send(Buffer.alloc(1372), 9, '198.19.7.65', () => s.close())`;
      await until(() => {
        execFileSync('nsenter', inside(alone, [process.execPath, '-e', large]));
        return execFileSync('nsenter', inside(alone, ['ip', 'route', 'get', '198.19.7.65']))
          .toString()
          .includes('mtu 1350');
      });
    } finally {
      await network.apply(state([]));
      execFileSync('ip', ['link', 'delete', 'up0']);
    }
  });

  describe('beside another agent of the machine', () => {
    const peerOf = (address: string, block: string) => ({ address, blocks: [block] });
    const routes = (): string => execFileSync('ip', ['route', 'show', 'proto', '197']).toString();
    let other: TaskNetwork;
    let uplink: number;

    beforeEach(async () => {
      other = new TaskNetwork({ ...options, agentId: `${agentId}-other` });
      await ready(other);
      uplink = await namespace();
      execFileSync('ip', ['link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(uplink)]);
      execFileSync('ip', ['addr', 'add', '198.19.9.1/24', 'dev', 'up0']);
      execFileSync('ip', ['link', 'set', 'up0', 'up']);
      const there = ['addr add 198.19.9.2/24 dev eth0', 'link set eth0 up'].join('\n');
      execFileSync('nsenter', inside(uplink, ['ip', '-batch', '-']), { input: `${there}\n` });
    });

    afterEach(async () => {
      execFileSync('ip', ['link', 'delete', 'up0']);
      await other.detach('eni-0000ff');
      await other.close();
    });

    test('each has its own ways to peers, and takes none of the other', async () => {
      const own = { ...state([]), address: '198.19.9.1' };
      await network.apply({ ...own, peers: [peerOf('198.19.9.2', '198.19.200.0/28')] });
      // One way of both, and one of its own.
      await other.apply({
        ...own,
        peers: [peerOf('198.19.9.2', '198.19.200.0/28'), peerOf('198.19.9.3', '198.19.200.16/28')],
      });
      expect(routes().match(/198\.19\.200\.0\/28/g)).toHaveLength(2);
      await network.apply(own);
      expect(routes()).toMatch(/^198\.19\.200\.0\/28 [^\n]*\n198\.19\.200\.16\/28 [^\n]*\n$/);
      await network.close();
      expect(routes().match(/\n/g)).toHaveLength(2);
      await other.close();
      expect(routes()).toBe('');
    });

    test('the tunnel is of both: it stays with what goes through it, and lets in the peers of either', async () => {
      const far = (address: string, block: string) => ({
        ...peerOf(address, block),
        way: 'vxlan' as const,
        mtu: 1_450,
      });
      const device = (): string => execFileSync('ip', ['-o', 'link', 'show', 'type', 'vxlan']).toString();
      await Promise.all([
        applyPeers([far('198.19.9.2', '198.19.200.0/28')], '198.19.9.1', 7),
        applyPeers([far('198.19.9.3', '198.19.200.16/28')], '198.19.9.1', 8),
      ]);
      await applyPeers([], '198.19.9.1', 7);
      expect(device()).toContain('slipway-vxlan');
      expect(routes()).toMatch(/^198\.19\.200\.16\/28 via 198\.19\.9\.3 dev slipway-vxlan[^\n]*\n$/);
      // From another address it waits for the other to let go of the first.
      const moved = [far('198.19.9.2', '198.19.200.0/28')];
      await expect(applyPeers(moved, '198.19.9.9', 7)).rejects.toThrow(
        /another agent .* 198\.19\.9\.1, not from 198\.19\.9\.9/,
      );
      await applyPeers([], '198.19.9.1', 8);
      await applyPeers(moved, '198.19.9.9', 7);
      expect(routes()).toContain('198.19.200.0/28 via 198.19.9.2 dev slipway-vxlan');
      await applyPeers([], '198.19.9.9', 7);
      expect(device()).toBe('');

      // A frame of a peer of one of them comes in, though the other knows of none; one of nobody's peer does not.
      execFileSync('nft', ['-f', '-'], {
        input:
          'table inet seen { chain in { type filter hook input priority 0; udp dport 4789 ip saddr 198.19.9.2 counter\n udp dport 4789 ip saddr 198.19.9.4 counter\n }\n}\n',
      });
      const seen = (): number[] =>
        [
          ...execFileSync('nft', ['list', 'table', 'inet', 'seen'])
            .toString()
            .matchAll(/packets (\d+)/g),
        ].map(([, packets]) => Number(packets));
      try {
        await network.apply({ ...state([]), address: '198.19.9.1' });
        await other.apply({ ...state([]), address: '198.19.9.1', peers: [peerOf('198.19.9.2', '198.19.200.0/28')] });
        execFileSync('nsenter', inside(uplink, ['ip', 'addr', 'add', '198.19.9.4/24', 'dev', 'eth0']));
        const header = Buffer.from([8, 0, 0, 0, 0, 0x10, 0x01, 0]).toString('hex');
        const send = (from: string): void => {
          const program = `const s = require('dgram').createSocket('udp4'); s.bind(0, '${from}', () => s.send(Buffer.from('${header}', 'hex'), 4789, '198.19.9.1', () => s.close()))`;
          execFileSync('nsenter', inside(uplink, [process.execPath, '-e', program]));
        };
        for (let times = 0; times < 3; times += 1) send('198.19.9.4');
        await until(() => {
          send('198.19.9.2');
          return (seen()[0] ?? 0) > 0;
        });
        expect(seen()[1]).toBe(0);
      } finally {
        execFileSync('nft', ['delete', 'table', 'inet', 'seen']);
      }
    });

    test('no address is at two places: the second one is refused, whoever has the first', async () => {
      const one = attachment(['sg-a']);
      await network.attach(one, await namespace());
      await other.apply(state([group('sg-a', [])]));
      const same = { ...one, id: 'eni-0000ff' };
      await expect(other.attach(same, await namespace())).rejects.toThrow(
        /198\.19\.7\.1 is in use by another agent of this machine.*SLIPWAY_TASK_NETWORK=off/,
      );
      await other.detach(same.id);
      expect(execFileSync('ip', ['route', 'get', one.address]).toString()).toContain(prefixOf(agentId));
      // Nor is it sent elsewhere; the host says so, and is as before when the task is gone.
      const peers = [peerOf('198.19.9.2', '198.19.7.0/28'), peerOf('198.19.9.2', '198.19.7.16/28')];
      await other.apply({ ...state([]), address: '198.19.9.1', peers });
      expect(await other.reason()).toMatch(/addresses of 198\.19\.7\.0\/28, which is another host's/);
      expect(routes()).toMatch(/^198\.19\.7\.16\/28 [^\n]*\n$/);
      await network.detach(one.id);
      expect(await other.reason()).toBeUndefined();
      expect(routes()).toContain('198.19.7.0/28');
      // Now that it is sent there, no task here has it.
      await expect(network.attach(one, await namespace())).rejects.toThrow(/in use by another agent/);
    });
  });
});

test.each([
  ['an address', { blocks: [{ cidr: '10.0.0.0/8; flush ruleset', vpc: 'vpc-1' }] }],
  ['a range', { blocks: [{ cidr: '10.0.0.0/33', vpc: 'vpc-1' }] }],
  ['a network', { blocks: [{ cidr: '10.0.0.0/8', vpc: 'vpc-1 }; flush ruleset' }] }],
  ['a port', { groups: [group('sg-a', [{ protocol: 'tcp', from: 80, to: 65_536, peer: { cidr: '0.0.0.0/0' } }])] }],
  ['a protocol', { groups: [group('sg-a', [{ protocol: 256, peer: { cidr: '0.0.0.0/0' } }])] }],
  ['a group of a rule', { groups: [group('sg-a', [{ protocol: '-1', peer: { group: 'sg-b accept' } }])] }],
  [
    'a member',
    {
      groups: [group('sg-a', [{ protocol: '-1', peer: { group: 'sg-b' } }])],
      members: { 'sg-b': ['10.0.0.1, 10.0.0.2'] },
    },
  ],
] as [string, Partial<NetworkState>][])('%s that is none never reaches the packet filter', (_what, wrong) => {
  const given = { ...state([group('sg-a', [])]), ...wrong };
  const host = { endpointPort: 51_679, engineNetworks: [], nameServers: [] };
  expect(() => filterTable('ecs0000', [attachment(['sg-a'])], given, host)).toThrow(TypeError);
});

test('servers of names that only the host itself reaches are not given to tasks', () => {
  const text =
    '# stub\nnameserver 127.0.0.53\nnameserver 192.0.2.53\n nameserver\t198.51.100.53 \nnameserver ::1\nsearch example';
  expect(nameServersIn(text)).toEqual(['192.0.2.53', '198.51.100.53']);
});
