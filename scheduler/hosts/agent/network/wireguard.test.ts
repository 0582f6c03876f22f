import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { silent } from '../../testing/callers.ts';
import {
  addWireGuard,
  endNamespaces,
  inside,
  namespace,
  ownMachine,
  reach,
  ready,
  serve,
  withoutWireGuard,
} from '../../testing/namespaces.ts';
import type { NetworkState } from '../../wire/index.ts';
import { networkState } from '../../wire/network.ts';
import { TaskNetwork } from './task-network.ts';
import { WireGuard } from './wireguard.ts';

const can = (await ownMachine()) ?? missingProgram();
if (can !== undefined && process.env['CI'] !== undefined) throw new Error(can);

function missingProgram(): string | undefined {
  try {
    execFileSync('sh', ['-c', 'command -v wg && command -v wireguard-go']);
    return undefined;
  } catch {
    return 'no wg, or no wireguard-go';
  }
}

const shown = (...words: string[]): string => execFileSync('ip', words).toString();
const bits = (): Buffer => randomBytes(32);

test('a key is that of the secret, and `wg` makes the same public key of it', async ({ skip }) => {
  skip(can !== undefined, can);
  const secret = bits();
  const wireguard = new WireGuard('ecs0000', secret);
  const told = await wireguard.open();
  try {
    expect(networkState.shape.tunnel.safeParse(told).success).toBe(true);
    const key = createHash('sha256').update(secret).digest();
    key[0] = (key[0] ?? 0) & 248;
    key[31] = ((key[31] ?? 0) & 127) | 64;
    const expected = execFileSync('wg', ['pubkey'], { input: key.toString('base64') })
      .toString()
      .trim();
    expect(Buffer.from(told?.split(':')[0] ?? '', 'base64url').toString('base64')).toBe(expected);
    // Asking again finds it, and another agent of the machine listens elsewhere.
    expect(await wireguard.open()).toBe(told);
    const other = new WireGuard('ecs0001', bits());
    expect((await other.open())?.split(':')[1]).not.toBe(told?.split(':')[1]);
    await other.close();
    await withoutWireGuard(other.device);
  } finally {
    await wireguard.close();
  }
  await withoutWireGuard(wireguard.device);
  expect(shown('-o', 'link')).not.toContain(wireguard.device);
});

test('a device that a run made which was killed before it listened is made whole, and what fails once is tried again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-wireguard-'));
  const devices = join(folder, 'devices');
  const wireguard = new WireGuard('ecs0002', bits());
  const path = process.env['PATH'] ?? '';
  const play = (wg: string): void => writeFileSync(join(folder, 'wg'), `#!/bin/sh\n${wg}\n`, { mode: 0o755 });
  const works = `case "$1" in
  show) cat ${devices} ;;
  setconf) port=$(sed -n 's/^ListenPort = //p' "$3"); printf '%s\\t%s\\n' "$2" "$port" > ${devices} ;;
esac`;
  // As the kernel shows one, which it does not make a second time.
  writeFileSync(devices, `${wireguard.device}\t0\n`);
  writeFileSync(join(folder, 'ip'), '#!/bin/sh\n[ "$2" != add ]\n', { mode: 0o755 });
  play(works);
  process.env['PATH'] = `${folder}:${path}`;
  try {
    const told = await wireguard.open();
    expect(told).toMatch(/:51820$/);
    expect(await wireguard.open()).toBe(told);
    play('echo "no memory" >&2; exit 1');
    expect([await wireguard.open(), wireguard.reason]).toEqual([undefined, expect.stringContaining('no memory')]);
    expect(wireguard.told).toBeUndefined();
    play(works);
    expect([await wireguard.open(), wireguard.reason]).toEqual([told, undefined]);
    expect(wireguard.told).toBe(told);
  } finally {
    process.env['PATH'] = path;
    rmSync(folder, { recursive: true, force: true });
  }
});

describe.skipIf(can !== undefined)('two hosts that are no neighbours', () => {
  const agentId = randomBytes(8).toString('hex');
  const network = new TaskNetwork({
    agentId,
    tunnelSecret: bits(),
    endpointPort: 51_679,
    engineNetworks: async () => [],
    nameServers: async () => [],
    log: silent,
  });
  const device = `swg${network.linkPrefix.slice(3)}`;
  const block = '198.19.200.0/28';
  const group = {
    id: 'sg-a',
    ingress: [{ protocol: '-1' as const, peer: { cidr: '0.0.0.0/0' } }],
    egress: [{ protocol: '-1' as const, peer: { cidr: '0.0.0.0/0' } }],
  };
  const state = (more: Partial<NetworkState> = {}): NetworkState => ({
    address: '198.19.9.1',
    blocks: [block, '198.19.201.0/28'].map((cidr) => ({ cidr, vpc: 'vpc-1' })),
    groups: [group],
    members: {},
    peers: [],
    ...more,
  });
  let far: { pid: number; tunnel: string };
  let task: number;
  let own = '';

  /** In the namespace of the other host, as its agent would. */
  const there = (...words: string[]): string => execFileSync('nsenter', inside(far.pid, words)).toString();

  beforeAll(async () => {
    await ready(network);
    own = (await network.tunnel()) ?? '';
    const [between, pid] = [await namespace(), await namespace()];
    execFileSync('ip', ['link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(between)]);
    execFileSync('sh', [
      '-ec',
      'ip addr add 198.19.9.1/24 dev up0; ip link set up0 up; ip route add default via 198.19.9.2',
    ]);
    const hop = (of: number, script: string): void => {
      execFileSync('nsenter', inside(of, ['sh', '-ec', script]));
    };
    hop(
      between,
      `ip link set lo up; ip addr add 198.19.9.2/24 dev eth0; ip link set eth0 up; echo 1 > /proc/sys/net/ipv4/ip_forward
       ip link add eth1 type veth peer name eth0 netns ${pid}; ip addr add 198.19.10.2/24 dev eth1; ip link set eth1 up`,
    );
    // What lies between does not know the tasks' addresses; the other host has one of its own task.
    hop(
      pid,
      `ip link set lo up; ip addr add 198.19.10.1/24 dev eth0; ip link set eth0 up; ip route add default via 198.19.10.2
       ip addr add 198.19.201.2/32 dev lo`,
    );
    const key = execFileSync('wg', ['genkey']).toString().trim();
    const publicKey = execFileSync('wg', ['pubkey'], { input: key }).toString().trim();
    far = { pid, tunnel: `${Buffer.from(publicKey, 'base64').toString('base64url')}:51820` };
    addWireGuard('far0', pid);
    const [mine = '', port = ''] = own.split(':');
    const peer = `PublicKey = ${Buffer.from(mine, 'base64url').toString('base64')}\nAllowedIPs = ${block}, 198.19.9.1/32`;
    const config = `[Interface]\nPrivateKey = ${key}\nListenPort = 51820\n[Peer]\n${peer}\nEndpoint = 198.19.9.1:${port}\n`;
    execFileSync('nsenter', inside(pid, ['sh', '-c', 'cat | wg setconf far0 /dev/stdin']), { input: config });
    hop(pid, `ip link set far0 mtu 1440 up; ip route add ${block} dev far0`);
    task = await namespace();
    await serve(pid, 8080, 'far', 'tcp', '198.19.201.2');
  });

  afterEach(() => network.apply(state()));

  afterAll(async () => {
    there('ip', 'link', 'delete', 'far0');
    execFileSync('ip', ['link', 'delete', 'up0']);
    endNamespaces();
  });

  test('send to each other through WireGuard, in packets that fit', async () => {
    const peer = { address: '198.19.10.1', blocks: ['198.19.201.0/28'], tunnel: far.tunnel };
    await network.apply(state({ tunnel: own, peers: [peer] }));
    expect(shown('route', 'show', 'proto', '197')).toContain(`198.19.201.0/28 dev ${device}`);
    expect(shown('-o', 'link', 'show', device)).toContain('mtu 1440');
    const attachment = { address: '198.19.200.1', mac: '02:53:c6:13:c8:01', vpc: 'vpc-1', outside: true };
    await network.attach({ id: 'eni-1', ...attachment, securityGroups: ['sg-a'] }, task);
    expect(await reach(task, '198.19.201.2', 8080)).toBe('far sees 198.19.200.1');
    expect(there('wg', 'show', 'far0', 'latest-handshakes')).toMatch(/\t[1-9]\d+$/m);
  });

  test('have the tunnel back when somebody took it away', async () => {
    const peer = { address: '198.19.10.1', blocks: ['198.19.201.0/28'], tunnel: far.tunnel };
    await network.apply(state({ tunnel: own, peers: [peer] }));
    execFileSync('ip', ['link', 'delete', device]);
    await withoutWireGuard(device);
    expect(await network.reason()).toBeUndefined();
    // The same key at the same port: nobody else has to be told.
    expect(await network.tunnel()).toBe(own);
    expect(await reach(task, '198.19.201.2', 8080)).toBe('far sees 198.19.200.1');
  });

  test.each([
    ['the other has none', { tunnel: 'own' }],
    ['the others do not know of its own', { peer: 'far' }],
  ])('use VXLAN where %s', async (_, { tunnel, peer }: { tunnel?: string; peer?: string }) => {
    const other = { address: '198.19.10.1', blocks: ['198.19.201.0/28'] };
    await network.apply(
      state({
        ...(tunnel === undefined ? {} : { tunnel: own }),
        peers: [{ ...other, ...(peer === undefined ? {} : { tunnel: far.tunnel }) }],
      }),
    );
    expect(shown('route', 'show', 'proto', '197')).toContain('198.19.201.0/28 via 198.19.10.1 dev slipway-vxlan');
  });

  test('leave nothing of it with the last task', async () => {
    await network.detach('eni-1');
    await network.close();
    expect(shown('-o', 'link')).not.toContain(device);
  });
});
