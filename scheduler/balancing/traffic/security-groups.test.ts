import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { endNamespaces, inside, namespace } from '../../hosts/testing/namespaces.ts';
import { cookieKey } from '../engines/testing/index.ts';
import { account, openWeb } from '../testing/open-balancing.ts';

import { desiredState } from './desired.ts';

const missing = process.getuid?.() === 0 ? undefined : 'network namespaces are made by root only';
if (missing !== undefined && process.env['CI'] === 'true') throw new Error(missing);

/** The load balancer's, in the engine's namespace; addresses for measurements (RFC 2544), which only these namespaces have. */
const balancer = '198.18.7.100';
const port = 8080;
const [one, two] = ['198.18.7.2', '198.18.7.6'];
let engines: number;
let clients: Readonly<Record<string, number>>;

beforeAll(async () => {
  if (missing !== undefined) return;
  engines = await namespace();
  clients = { [one]: await namespace(), [two]: await namespace() };
  const run = (pid: number, ...lines: readonly string[]): unknown =>
    execFileSync('nsenter', inside(pid, ['sh', '-ec', lines.join('\n')]));
  run(engines, 'ip link set lo up', `ip address add ${balancer}/32 dev lo`);
  for (const [place, [client, pid]] of Object.entries(clients).entries()) {
    const router = client.replace(/\d+$/, (last) => String(Number(last) - 1));
    run(
      engines,
      `ip link add client${place} type veth peer name out netns ${pid}`,
      `ip address add ${router}/30 dev client${place}`,
      `ip link set client${place} up`,
    );
    run(pid, `ip address add ${client}/30 dev out`, 'ip link set out up', `ip route add default via ${router}`);
  }
});
afterAll(() => endNamespaces());

/** What a client gets from the load balancer: the body of an answer, or `refused` when its connection ends without one. */
async function get(client: string): Promise<string> {
  const program = `const request = require('http').get('http://${balancer}:${port}/', { agent: false }, (answer) => answer.pipe(process.stdout));
request.on('error', () => process.stdout.write('refused'));`;
  const child = spawn('nsenter', inside(clients[client] ?? 0, [process.execPath, '-e', program]), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return text(child.stdout);
}

/** An engine in its namespace. */
async function openEngine(kind: string) {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-groups-'));
  const program = join(import.meta.dirname, '..', 'testing', 'engine-process.ts');
  const child = spawn('nsenter', inside(engines, [process.execPath, program, kind, folder]), {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    apply: async (state: object): Promise<unknown> => {
      child.stdin.write(`${JSON.stringify(state)}\n`);
      return JSON.parse((await answers.next()).value ?? 'null');
    },
    [Symbol.asyncDispose]: async (): Promise<void> => {
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.stdin.end();
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}

test.skipIf(missing !== undefined).each(['embedded', 'haproxy'])(
  'packets reach a listener as its security groups say, and as they change, by source and port (%s)',
  { timeout: 300_000 },
  async (kind) => {
    await using engine = await openEngine(kind);
    const { balancers, networks, call, listenerArn, network } = await openWeb();
    await call('ModifyListener', {
      ListenerArn: listenerArn,
      Port: port,
      DefaultActions: [{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '200', MessageBody: 'in' } }],
    });

    /**
     * Puts rules in place of all that the group of the load balancer has, and waits for what the two clients get then: a process that is
     * replaced may take a last connection.
     */
    async function admits(expected: readonly string[], ...rules: readonly object[]): Promise<void> {
      await networks.change(account, (draft) => {
        const groupId = draft.defaultGroup(network.vpcId)?.id ?? '';
        for (const rule of draft.rulesOf(groupId)) if (!rule.egress) draft.remove('security-group-rule', rule.id);
        for (const [place, rule] of rules.entries())
          draft.put('security-group-rule', {
            id: `sgr-${place}`,
            groupId,
            egress: false,
            protocol: 'tcp',
            from: port,
            to: port,
            peer: { cidr: '0.0.0.0/0' },
            tags: {},
            ...rule,
          });
      });
      await balancers.change(account, (draft) => {
        for (const balancer of draft.all('loadbalancer')) draft.put('loadbalancer', balancer);
      });
      const desired = desiredState(await balancers.read(account), await networks.read(account), {
        cookieKey,
        certificates: new Map(),
      });
      const [listener] = desired.listeners;
      const { generation } = desired;
      expect(await engine.apply({ ...desired, listeners: [{ ...listener, address: balancer }] })).toEqual({
        generation,
        unbound: [],
      });
      await expect.poll(() => Promise.all([get(one), get(two)])).toEqual(expected);
    }

    await admits(['refused', 'refused']);
    await admits(['in', 'refused'], { peer: { cidr: `${one}/32` } });
    await admits(['refused', 'in'], { peer: { cidr: '198.18.7.4/30' } }, { from: 8081, to: 8090 });
    await admits(['refused', 'refused'], { protocol: 'udp' }, { peer: { group: 'sg-elsewhere' } });
    await admits(['in', 'in'], { from: 1, to: 65_535 });
    await admits(['refused', 'in'], { peer: { cidr: `${two}/32` }, protocol: '-1' });
  },
);
