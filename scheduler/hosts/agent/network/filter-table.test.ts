import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { ownMachine } from '../../testing/namespaces.ts';
import { networkMissing } from '../../testing/test-engine.ts';
import type { Attachment } from './attachment.ts';
import { changeScript, type FilterTable, tableScript } from './filter-table.ts';
import { type FilterHost, type FilterState, filterTable } from './packet-filter.ts';

const can = (await ownMachine()) ?? (await networkMissing());
if (can !== undefined && process.env['CI'] === 'true') throw new Error(can);

const runs = { nightly: 60, release: 300 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 6;

const ids = ['sg-a', 'sg-b', 'sg-c'];
const vpcs = ['vpc-1', 'vpc-2'];
const addresses = Array.from({ length: 6 }, (_, index) => `198.19.7.${index + 1}`);

const permission: fc.Arbitrary<FilterState['groups'][number]['ingress'][number]> = fc
  .tuple(
    fc.constantFrom('-1' as const, 'tcp' as const, 'udp' as const, 'icmp' as const, 47),
    fc.integer({ min: 1, max: 4 }),
    fc.oneof(
      fc.constantFrom(...ids).map((id) => ({ group: id })),
      fc.constantFrom('0.0.0.0/0', '10.0.0.0/8', '10.1.0.0/16').map((cidr) => ({ cidr })),
    ),
  )
  .map(([protocol, from, peer]) =>
    protocol === 'tcp' || protocol === 'udp' ? { protocol, from, to: from + 1, peer } : { protocol, peer },
  );
const permissions = fc.array(permission, { maxLength: 4 });

const filterState: fc.Arbitrary<FilterState> = fc.record({
  blocks: fc.subarray([
    { cidr: '198.19.7.0/25', vpc: 'vpc-1' },
    { cidr: '198.19.7.128/25', vpc: 'vpc-1' },
    { cidr: '198.19.9.0/24', vpc: 'vpc-2' },
  ]),
  groups: fc
    .tuple(...ids.map((id) => fc.record({ id: fc.constant(id), ingress: permissions, egress: permissions })))
    .chain((all) => fc.subarray(all)),
  members: fc.dictionary(fc.constantFrom(...ids), fc.subarray(addresses)),
  peers: fc.subarray(['198.19.10.1', '198.19.10.2']).map((all) => all.map((address) => ({ address, blocks: [] }))),
});

const attachments: fc.Arbitrary<Attachment[]> = fc.subarray(addresses).chain((some) =>
  fc.tuple(
    ...some.map((address, index) =>
      fc.record({
        id: fc.constant(`eni-${index}`),
        address: fc.constant(address),
        mac: fc.constant(`02:00:00:00:08:0${index}`),
        vpc: fc.constantFrom(...vpcs),
        securityGroups: fc.subarray(ids),
        outside: fc.boolean(),
      }),
    ),
  ),
);

const host: fc.Arbitrary<FilterHost> = fc.record({
  endpointPort: fc.constantFrom(51_679, 51_680),
  engineNetworks: fc.subarray(['172.17.0.0/16', '172.18.0.0/16', '172.18.4.0/24']),
  nameServers: fc.subarray(['192.0.2.53', '192.0.2.54']),
});

const load = (script: string): void => void execFileSync('nft', ['-f', '-'], { input: script, stdio: 'pipe' });

/** What the kernel has of a table, whatever was done to get there: without handles, in an order of its own. */
function listed(prefix: string): string[] {
  const printed = execFileSync('nft', ['-j', 'list', 'table', 'inet', `slipway_${prefix}`], { encoding: 'utf8' });
  const { nftables } = JSON.parse(printed.replaceAll(prefix, 'PREFIX')) as { nftables: object[] };
  const order = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(order);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).flatMap(([key, one]) => {
        if (key === 'handle') return [];
        const inOrder = order(one);
        return [[key, key === 'elem' && Array.isArray(inOrder) ? inOrder.map(text).toSorted() : inOrder]];
      }),
    );
  };
  const rows = nftables.filter((one) => !('metainfo' in one)).map((one) => order(one));
  // Rules of groups stand in any order; of the others each has the place that it has among those of its chain.
  const places = new Map<string, number>();
  return rows
    .map((row) => {
      const { rule } = row as { rule?: { chain: string } };
      if (rule === undefined || /^[ie]_/.test(rule.chain)) return text(row);
      places.set(rule.chain, (places.get(rule.chain) ?? 0) + 1);
      return `${places.get(rule.chain)} ${text(row)}`;
    })
    .toSorted();
}

const text = (value: unknown): string => JSON.stringify(value);

describe.skipIf(can !== undefined)('the packet filter', () => {
  test('comes out as one that is written anew, whatever it was before', { timeout: 3_600_000 }, () => {
    const step = fc.tuple(attachments, filterState, host);
    let changes = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 4, maxLength: 8 }), (steps) => {
        let before: FilterTable | undefined;
        for (const [tasks, state, facts] of steps) {
          const now = filterTable('ecschgd', tasks, state, facts);
          const script = before === undefined ? tableScript(now) : changeScript(before, now);
          if (script !== undefined) load(script);
          if (before !== undefined && script !== undefined) changes++;
          load(tableScript(filterTable('ecsanew', tasks, state, facts)));
          expect(listed('ecschgd')).toEqual(listed('ecsanew'));
          before = now;
        }
      }),
      { numRuns: runs },
    );
    expect(changes).toBeGreaterThan(runs);
  });

  test('names what differs alone, and nothing where nothing does', () => {
    const facts = { endpointPort: 51_679, engineNetworks: ['172.17.0.0/16'], nameServers: [] };
    const rule = (from: number) => ({ protocol: 'tcp' as const, from, to: from, peer: { cidr: '10.0.0.0/8' } });
    const of = (ports: readonly number[], members: string[] = []): FilterTable => {
      const groups = [
        { id: 'sg-a', ingress: ports.map(rule), egress: [{ protocol: '-1' as const, peer: { group: 'sg-b' } }] },
      ];
      const task = { id: 'eni-1', address: '198.19.7.1', mac: '02:00:00:00:08:01', vpc: 'vpc-1', outside: true };
      const state = { blocks: [], groups, members: { 'sg-b': members }, peers: [] };
      return filterTable('ecsaaaa', [{ ...task, securityGroups: ['sg-a'] }], state, facts);
    };
    const many = Array.from({ length: 1000 }, (_, index) => index + 1);
    expect(changeScript(of(many), of(many.toReversed()))).toBeUndefined();
    expect(changeScript(of(many), of([2000, ...many]))).toBe(
      'table inet slipway_ecsaaaa {\nchain i_sg_a {\nip saddr 10.0.0.0/8 tcp dport 2000-2000 accept\n}\n}\n',
    );
    expect(changeScript(of([1, 2]), of([2]))).toBe(
      'flush chain inet slipway_ecsaaaa i_sg_a\ntable inet slipway_ecsaaaa {\nchain i_sg_a {\nip saddr 10.0.0.0/8 tcp dport 2-2 accept\n}\n}\n',
    );
    expect(changeScript(of([1], addresses), of([1], ['198.19.7.9', ...addresses.slice(1)]))).toBe(
      'delete element inet slipway_ecsaaaa m_sg_b { 198.19.7.1 }\ntable inet slipway_ecsaaaa {\nset m_sg_b { type ipv4_addr; elements = { 198.19.7.9 }; }\n}\n',
    );
  });
});
