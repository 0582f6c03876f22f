import { array, assert, boolean, constantFrom, integer, property, record, subarray } from 'fast-check';
import { expect, test } from 'vitest';

import { holds, parseAddress, parseCidr } from '../addresses/index.ts';

import { hostRules, type HostPermission, type HostRules, Network, type SecurityGroupRuleRecord } from './index.ts';

const ids = ['sg-a', 'sg-b', 'sg-c'];
const addresses = ['10.0.0.4', '10.0.0.5', '10.0.1.4', '10.0.1.5', '10.9.0.4'];

const rule = record({
  groupId: constantFrom(...ids),
  egress: boolean(),
  protocol: constantFrom('tcp', 'udp', '-1', 'icmpv6', '47'),
  port: integer({ min: 79, max: 82 }),
  more: integer({ min: 0, max: 2 }),
  peer: constantFrom(
    { group: 'sg-a' },
    { group: 'sg-b' },
    { cidr: '10.0.0.0/24' },
    { cidr: '10.0.1.5/32' },
    { cidr: '0.0.0.0/0' },
    { cidr6: '::/0' },
  ),
});
const rules = array(rule, { maxLength: 12 }).map((all) =>
  all.map(({ port, more, protocol, ...of }, index): SecurityGroupRuleRecord => ({
    ...of,
    id: `sgr-${index}`,
    protocol,
    ...(protocol === 'tcp' || protocol === 'udp' ? { from: port, to: port + more } : {}),
    tags: {},
  })),
);
const member = record({ address: constantFrom(...addresses), groups: subarray(ids, { minLength: 1 }) });
const members = array(member, { maxLength: 5 }).map((all) => [
  ...new Map(all.map((one) => [one.address, one])).values(),
]);
type Member = { readonly address: string; readonly groups: readonly string[] };
interface Packet {
  readonly protocol: string;
  readonly port: number;
}

const networkOf = (all: readonly SecurityGroupRuleRecord[]): Network =>
  new Network('000000000000', [], new Map([['security-group-rule', new Map(all.map((one) => [one.id, one]))]]));

/** Whether a packet may pass, straight from the records: what one of the groups' rules names. */
function allowed(
  all: readonly SecurityGroupRuleRecord[],
  everyone: readonly Member[],
  at: Member,
  egress: boolean,
  other: string,
  { protocol, port }: Packet,
): boolean {
  return all.some((one) => {
    if (one.egress !== egress || !at.groups.includes(one.groupId)) return false;
    if (one.protocol !== '-1' && one.protocol !== protocol) return false;
    if (one.from !== undefined && (port < one.from || port > (one.to ?? one.from))) return false;
    if ('cidr6' in one.peer || one.protocol === 'icmpv6') return false;
    return meets(one.peer, other, (id) => everyone.filter(({ groups }) => groups.includes(id)).map((it) => it.address));
  });
}

/** The same from what a host is told. */
function enforced(
  { groups, members: of }: HostRules,
  at: Member,
  egress: boolean,
  other: string,
  packet: Packet,
): boolean {
  return groups
    .filter(({ id }) => at.groups.includes(id))
    .flatMap((group) => (egress ? group.egress : group.ingress))
    .some((one) => {
      if (one.protocol !== '-1' && String(one.protocol) !== packet.protocol) return false;
      if (one.from !== undefined && (packet.port < one.from || packet.port > (one.to ?? one.from))) return false;
      return meets(one.peer, other, (id) => of[id] ?? []);
    });
}

const meets = (peer: HostPermission['peer'], other: string, of: (id: string) => readonly string[]): boolean =>
  'group' in peer
    ? of(peer.group).includes(other)
    : holds(parseCidr(peer.cidr) as never, parseAddress(other) as number);

test('what a host is told lets through exactly what the rules of the groups do', () => {
  const packet = record({ protocol: constantFrom('tcp', 'udp', '47'), port: integer({ min: 78, max: 85 }) });
  assert(
    property(rules, members, array(packet, { maxLength: 6 }), (all, everyone, packets) => {
      const own = everyone.filter(({ address }) => address.startsWith('10.0.0.'));
      const told = hostRules(networkOf(all), own, everyone);
      for (const at of own)
        for (const other of addresses)
          for (const sent of packets)
            for (const egress of [true, false])
              expect(enforced(told, at, egress, other, sent)).toBe(allowed(all, everyone, at, egress, other, sent));
    }),
    { numRuns: 300 },
  );
});

test('a host is told of its own groups, and of no member that no rule of theirs names', () => {
  assert(
    property(rules, members, (all, everyone) => {
      const own = everyone.slice(0, 1);
      const told = hostRules(networkOf(all), own, everyone);
      expect(told.groups.map(({ id }) => id)).toEqual([...(own[0]?.groups ?? [])].sort());
      const named = told.groups.flatMap(({ ingress, egress }) =>
        [...ingress, ...egress].flatMap(({ peer }) => ('group' in peer ? [peer.group] : [])),
      );
      expect(Object.keys(told.members)).toEqual([...new Set(named)].sort());
      // The order in which rules and members were made does not matter: a host that has them is told nothing new.
      expect(hostRules(networkOf(all.toReversed()), own, everyone.toReversed())).toEqual(told);
    }),
  );
});
