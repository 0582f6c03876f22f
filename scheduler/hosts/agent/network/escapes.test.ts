import { execFileSync } from 'node:child_process';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { silent } from '../../testing/callers.ts';
import { networkMissing } from '../../testing/test-engine.ts';
import {
  ask,
  endNamespaces,
  inside,
  namespace,
  ownMachine,
  reach,
  ready,
  serve,
  until,
} from '../../testing/namespaces.ts';
import type { NetworkState } from '../../wire/index.ts';
import { gateway, metricOf, prefixOf } from './attachment.ts';
import { type Attachment, TaskNetwork } from './index.ts';
import { beginLink, finishLink, listLinks, removeLink } from './links.ts';
import { applyPeers } from './peers.ts';

/** What a task might try from its own network namespace, where it may have every right. */
const missing = (await ownMachine()) ?? (await networkMissing());
if (missing !== undefined && process.env['CI'] === 'true') throw new Error(missing);

// Addresses for measurements between networks (RFC 2544), which nobody else has.
const agentId = `escapes-${process.pid}`;
const metric = metricOf(prefixOf(agentId));
const host = '198.19.6.1';
const engine = '198.19.6.129';
const device = `swe${process.pid}`.slice(0, 15);
const everything = { protocol: '-1' as const, peer: { cidr: '0.0.0.0/0' } };
const own = (number: number, more: Partial<Attachment> = {}): Attachment => ({
  id: `eni-000${number}`,
  address: `198.19.5.${number}`,
  mac: `02:00:00:00:05:0${number}`,
  vpc: 'vpc-1',
  securityGroups: ['sg-a'],
  outside: true,
  ...more,
});
const state: NetworkState = {
  address: host,
  blocks: [
    { cidr: '198.19.5.0/25', vpc: 'vpc-1' },
    { cidr: '198.19.5.128/25', vpc: 'vpc-1' },
  ],
  groups: [
    { id: 'sg-a', ingress: [everything], egress: [everything] },
    // Only what is in the other group gets in, and nothing leaves.
    { id: 'sg-b', ingress: [{ protocol: '-1', peer: { group: 'sg-a' } }], egress: [] },
  ],
  members: { 'sg-a': ['198.19.5.1', '198.19.5.129'] },
  peers: [],
};

const ip = (...words: string[]): string => execFileSync('ip', words).toString();
const ipIn = (pid: number, ...words: string[]): string =>
  execFileSync('nsenter', inside(pid, ['ip', ...words])).toString();

let network: TaskNetwork;
const attached: string[] = [];
async function task(attachment: Attachment): Promise<number> {
  const pid = await namespace();
  attached.push(attachment.id);
  await network.attach(attachment, pid);
  return pid;
}

/** Joins a namespace to this machine by a link of its own, as a container of the Docker engine or another machine is. */
async function neighbour(name: string, here: string, there: string): Promise<number> {
  const pid = await namespace();
  ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid));
  ip('addr', 'add', here, 'dev', name);
  ip('link', 'set', name, 'up');
  ipIn(pid, 'addr', 'add', there, 'dev', 'eth0');
  ipIn(pid, 'link', 'set', 'eth0', 'up');
  ipIn(pid, 'route', 'add', 'default', 'via', here.split('/')[0] ?? '');
  return pid;
}

/** Counts packets from an address that arrive in a namespace. */
function countFrom(pid: number, address: string): () => number {
  const name = `seen-${address.replaceAll('.', '-')}`;
  const table = `table inet ${name} {
  chain in { type filter hook input priority 0; ip saddr ${address} counter
  }
}
`;
  execFileSync('nsenter', inside(pid, ['nft', '-f', '-']), { input: table });
  return () =>
    Number(
      /packets (\d+)/.exec(
        execFileSync('nsenter', inside(pid, ['nft', 'list', 'table', 'inet', name])).toString(),
      )?.[1],
    );
}

describe.skipIf(missing !== undefined)('a task with an address of its own', () => {
  beforeEach(async () => {
    network = new TaskNetwork({
      agentId,
      endpointPort: 51_679,
      engineNetworks: async () => ['198.19.6.128/25'],
      nameServers: async () => [host],
      log: silent,
    });
    await ready(network);
    await network.apply(state);
    ip('link', 'add', device, 'type', 'bridge');
    ip('addr', 'add', `${host}/32`, 'dev', device);
    ip('link', 'set', device, 'up');
  });

  afterEach(async () => {
    endNamespaces();
    ip('link', 'delete', device);
    for (const id of attached.splice(0)) await network.detach(id);
    await network.sweep();
    await network.close();
  });

  test('with a way out reaches of its host what other machines reach, and nothing that is meant for the host alone', async () => {
    ip('addr', 'add', `${engine}/32`, 'dev', device);
    const here = await task(own(1));
    await serve(0, 7001, 'published', 'tcp', host);
    await serve(0, 2375, 'docker', 'tcp', host);
    await serve(0, 51_679, 'endpoint', 'tcp', engine);
    await serve(0, 7001, 'engine', 'tcp', engine);
    await serve(0, 7001, 'link', 'tcp', gateway);
    expect(await reach(here, host, 7001)).toContain('published');
    expect(await ask(here, host, 2375), 'the Docker engine').toBeUndefined();
    // By the address of the endpoint it gets there, through the redirection; not by that of the engine's bridge.
    expect(await ask(here, engine, 51_679), 'the listener of the endpoint').toBeUndefined();
    expect(await ask(here, engine, 7001), "an address of the engine's networks").toBeUndefined();
    expect(await ask(here, gateway, 7001), 'the end of its link').toBeUndefined();
    ipIn(here, 'route', 'add', '169.254.169.254/32', 'via', gateway, 'dev', 'eth0');
    ip('addr', 'add', '169.254.169.254/32', 'dev', device);
    await serve(0, 80, 'metadata', 'tcp', '169.254.169.254');
    expect(await ask(here, '169.254.169.254', 80), 'the metadata of a cloud').toBeUndefined();
  });

  test('without a way out reaches nothing of its host but the servers of names that it was given', async () => {
    const here = await task(own(1, { outside: false }));
    const shut = await task(own(2, { outside: false, securityGroups: ['sg-b'] }));
    await serve(0, 7001, 'published', 'tcp', host);
    await serve(0, 53, 'names', 'udp', host);
    await serve(0, 53, 'names over tcp', 'tcp', host);
    await serve(0, 54, 'other', 'udp', host);
    for (const one of [here, shut]) {
      expect(await reach(one, host, 53, 'udp')).toBe('names');
      expect(await reach(one, host, 53)).toContain('names over tcp');
      expect(await ask(one, host, 54, 'udp')).toBeUndefined();
      expect(await ask(one, host, 7001)).toBeUndefined();
    }
  });

  test('reaches no container of the Docker engine that publishes nothing', async () => {
    const container = await neighbour(`${device}c`.slice(0, 15), `${engine}/25`, '198.19.6.130/25');
    const here = await task(own(1));
    await serve(container, 80, 'unpublished');
    expect(await reach(0, '198.19.6.130', 80)).toContain('unpublished');
    expect(await ask(here, '198.19.6.130', 80)).toBeUndefined();
  });

  test('is nobody else: no container, no other machine and no other task sends from its address', async () => {
    const [one, two, other] = [own(1), own(2, { securityGroups: ['sg-b'] }), own(3, { securityGroups: ['sg-b'] })];
    const [first, there, third] = [await task(one), await task(two), await task(other)];
    const container = await neighbour(`${device}c`.slice(0, 15), '198.19.6.200/30', '198.19.6.201/30');
    const seen = countFrom(there, one.address);
    /** Sends as `one`, whose group gets in: no answer is needed. */
    const send = (pid: number): void => {
      const program = `const s = require('dgram').createSocket('udp4'); s.bind(0, '${one.address}', () => s.send('x', 9, '${two.address}', () => s.close()))`;
      execFileSync('nsenter', inside(pid, [process.execPath, '-e', program]));
    };
    for (const pid of [container, third]) ipIn(pid, 'addr', 'add', `${one.address}/32`, 'dev', 'eth0');
    // What the group lets in is seen.
    send(first);
    await until(() => seen() > 0);
    const before = seen();
    for (const pid of [container, third]) for (let times = 0; times < 3; times += 1) send(pid);
    // What was let through arrived before this does.
    send(first);
    await until(() => seen() > before);
    expect(seen()).toBe(before + 1);
  });

  test('sends nothing through the tunnel between hosts: what comes out of it counts as what a peer sent', async () => {
    const two = own(2, { securityGroups: ['sg-b'] });
    const [here, there] = [await task(own(1, { address: '198.19.5.3' })), await task(two)];
    const peer = await neighbour(`${device}p`.slice(0, 15), '198.19.6.200/30', '198.19.6.201/30');
    const far = { address: '198.19.6.201', blocks: ['198.19.5.128/25'] };
    // Both are members of the group that is let in, on the peer.
    const [real, forged] = ['198.19.5.129', '198.19.5.130'];
    await network.apply({ ...state, members: { 'sg-a': [...(state.members['sg-a'] ?? []), forged] }, peers: [far] });
    const [seen, seenForged] = [countFrom(there, real), countFrom(there, forged)];
    // It is a neighbour, which a plain route would do for.
    await applyPeers([{ ...far, way: 'vxlan', mtu: 1_450 }], host, metric);
    const [{ address: mac = '' } = {}] = JSON.parse(ip('-json', 'link', 'show', 'slipway-vxlan')) as {
      address?: string;
    }[];
    const send = (pid: number, source: string): Buffer =>
      execFileSync('nsenter', inside(pid, [process.execPath, '-e', tunnelFrame(mac, source, two.address, host)]));
    /** Sends from the peer until one more arrives: what was sent before and let through has arrived by then. */
    const arrives = (source: string, count: () => number): Promise<void> => {
      const before = count();
      return until(() => {
        send(peer, source);
        return count() > before;
      });
    };
    try {
      await arrives(real, seen);
      for (let times = 0; times < 10; times += 1) send(here, forged);
      await arrives(real, seen);
      await arrives(real, seen);
      expect(seenForged()).toBe(0);
      // From the peer it would have been let through.
      await arrives(forged, seenForged);
    } finally {
      await applyPeers([], host, metric);
    }
  });

  test('changes nobody else by what it says of addresses on its link', async () => {
    const [one, two] = [own(1), own(2)];
    const [here, there, asks] = [await task(one), await task(two), await task(own(3))];
    await serve(here, 80, 'one');
    await serve(there, 80, 'two');
    expect(await reach(asks, one.address, 80)).toContain('one sees');
    // Takes the other's address, tells everybody, and has the other's hardware address too.
    execFileSync('nsenter', inside(there, ['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/conf/eth0/arp_notify || :']));
    ipIn(there, 'addr', 'add', `${one.address}/32`, 'dev', 'eth0');
    ipIn(there, 'link', 'set', 'eth0', 'down', 'address', one.mac);
    ipIn(there, 'link', 'set', 'eth0', 'up');
    ipIn(there, 'route', 'add', gateway, 'dev', 'eth0', 'scope', 'link');
    ipIn(there, 'route', 'add', 'default', 'via', gateway, 'dev', 'eth0');
    for (let times = 0; times < 3; times += 1) {
      expect(await reach(asks, one.address, 80)).toContain('one sees');
      expect(await reach(0, one.address, 80)).toContain('one sees');
    }
  });

  test('speaks no IPv6 with its host', async ({ skip }) => {
    const here = await task(own(1));
    const [link] = await listLinks(prefixOf(agentId));
    const shown = (): string => ip('-6', '-o', 'addr', 'show', 'dev', link?.name ?? '');
    const local = /inet6 (fe80[^/]*)/.exec(shown())?.[1];
    if (local === undefined) return skip('the kernel has no IPv6');
    // Until then nobody can listen on it.
    await until(() => !shown().includes('tentative'));
    await serve(0, 7002, 'six', 'tcp', `${local}%${link?.name}`);
    expect(await ask(here, `${local}%eth0`, 7002)).toBeUndefined();
  });

  test('gets nowhere over a link that its agent does not know', async () => {
    const pid = await namespace();
    await beginLink(prefixOf(agentId), own(1), pid, 1450);
    await finishLink(prefixOf(agentId), own(1), pid);
    try {
      await serve(0, 7001, 'published', 'tcp', host);
      expect(await ask(pid, host, 7001)).toBeUndefined();
      attached.push(own(1).id);
      await network.attach(own(1), pid);
      expect(await reach(pid, host, 7001)).toContain('published');
    } finally {
      for (const { name } of await listLinks(prefixOf(agentId))) await removeLink(name);
    }
  });

  test.each(['delete', 'flush'])(
    'is kept by its groups again after somebody cleared the rules of the host: %s',
    async (how) => {
      const [here, there] = [await task(own(1, { securityGroups: ['sg-b'] })), await task(own(2))];
      await serve(there, 80, 'two');
      expect(await ask(here, '198.19.5.2', 80)).toBeUndefined();
      execFileSync('nft', [how, 'table', 'inet', `slipway_${prefixOf(agentId)}`]);
      expect(await reach(here, '198.19.5.2', 80)).toContain('two');
      expect(await network.reason()).toBeUndefined();
      expect(await ask(here, '198.19.5.2', 80)).toBeUndefined();
    },
  );

  test('a way to another host that somebody took away comes back', async () => {
    const block = (number: number): string => `198.19.5.${16 * number}/28`;
    await neighbour(`${device}w`.slice(0, 15), '198.19.6.208/30', '198.19.6.209/30');
    const peers = [8, 9].map((number) => ({ address: '198.19.6.209', blocks: [block(number)] }));
    const ways = (): string => ip('route', 'show', 'proto', '197');
    const both = async (): Promise<boolean> => {
      expect(await network.reason()).toBeUndefined();
      return [8, 9].every((number) => ways().includes(`${block(number)} via 198.19.6.209`));
    };
    await network.apply({ ...state, peers });
    await expect.poll(both).toBe(true);
    ip('route', 'delete', block(8), 'proto', '197');
    await expect.poll(both).toBe(true);
  });
});

/** A program that sends a frame of the tunnel's (RFC 7348) with a packet from somebody, as UDP to a host. */
const tunnelFrame = (mac: string, from: string, to: string, through: string): string => `
const inner = Buffer.alloc(14 + 20 + 8 + 1);
Buffer.from('${mac}'.replaceAll(':', ''), 'hex').copy(inner, 0);
inner.write('0253c6130681', 6, 'hex');
inner.writeUInt16BE(0x0800, 12);
const ip = inner.subarray(14);
ip.writeUInt8(0x45, 0);
ip.writeUInt16BE(29, 2);
ip.writeUInt8(64, 8);
ip.writeUInt8(17, 9);
for (const [at, address] of [[12, '${from}'], [16, '${to}']]) address.split('.').forEach((part, i) => ip.writeUInt8(Number(part), at + i));
let sum = 0;
for (let at = 0; at < 20; at += 2) sum += ip.readUInt16BE(at);
while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
ip.writeUInt16BE(0xffff - sum, 10);
ip.writeUInt16BE(9, 20);
ip.writeUInt16BE(9, 22);
ip.writeUInt16BE(9, 24);
const header = Buffer.from([8, 0, 0, 0, 0, 0x10, 0x01, 0]);
const s = require('dgram').createSocket('udp4');
s.send(Buffer.concat([header, inner]), 4789, '${through}', () => s.close());
`;
