import { z } from 'zod';

import { networkState, type NetworkState } from './network.ts';

const { address, tunnel, blocks, groups, peers } = networkState.shape;

/** What of a list is new or another now, and the names of what is gone. */
const listOf = <T extends z.ZodType>(items: T) => z.object({ put: items, gone: z.array(z.string()) }).optional();

/**
 * What has changed of a network's state, by the names of things: ranges by themselves, groups by their ids, hosts by their addresses.
 * A member that is absent has not changed.
 */
export const networkChange = z.object({
  address: address.optional(),
  /** Null: there is none any more. */
  tunnel: tunnel.unwrap().nullable().optional(),
  blocks: listOf(blocks),
  groups: listOf(groups),
  peers: listOf(peers),
  /** Groups may have thousands of members, of which one comes or goes. */
  members: z
    .object({
      put: z.record(z.string(), z.object({ come: z.array(z.ipv4()), left: z.array(z.string()) })),
      gone: z.array(z.string()),
    })
    .optional(),
});

export type NetworkChange = z.output<typeof networkChange>;

/** What makes one state of another; undefined where nothing differs, whatever the order. */
export function changeBetween(before: NetworkState, after: NetworkState): NetworkChange | undefined {
  const change: NetworkChange = {
    ...(after.address === before.address ? {} : { address: after.address }),
    ...(after.tunnel === before.tunnel ? {} : { tunnel: after.tunnel ?? null }),
    ...optional('blocks', listChange(before.blocks, after.blocks, nameOf.block)),
    ...optional('groups', listChange(before.groups, after.groups, nameOf.group)),
    ...optional('peers', listChange(before.peers, after.peers, nameOf.peer)),
    ...optional('members', memberChange(before.members, after.members)),
  };
  return Object.keys(change).length === 0 ? undefined : change;
}

/** A state with a change. What is gone and was not there, and what is put as it was, changes nothing. */
export function withChange(before: NetworkState, change: NetworkChange): NetworkState {
  const end = change.tunnel === undefined ? before.tunnel : (change.tunnel ?? undefined);
  return {
    address: change.address ?? before.address,
    ...(end === undefined ? {} : { tunnel: end }),
    blocks: listWith(before.blocks, change.blocks, nameOf.block),
    groups: listWith(before.groups, change.groups, nameOf.group),
    peers: listWith(before.peers, change.peers, nameOf.peer),
    members: membersWith(before.members, change.members),
  };
}

const nameOf = {
  block: ({ cidr }: NetworkState['blocks'][number]): string => cidr,
  group: ({ id }: NetworkState['groups'][number]): string => id,
  peer: (peer: NetworkState['peers'][number]): string => peer.address,
};

interface ListChange<T> {
  readonly put: T[];
  readonly gone: string[];
}

const optional = <K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } =>
  (value === undefined ? {} : { [key]: value }) as { [key in K]?: V };

function listChange<T>(before: readonly T[], after: readonly T[], name: (one: T) => string): ListChange<T> | undefined {
  const old = new Map(before.map((one) => [name(one), JSON.stringify(one)]));
  const kept = new Set(after.map(name));
  const put = after.filter((one) => old.get(name(one)) !== JSON.stringify(one));
  const gone = [...old.keys()].filter((one) => !kept.has(one));
  return put.length + gone.length === 0 ? undefined : { put, gone };
}

function listWith<T>(before: readonly T[], change: ListChange<T> | undefined, name: (one: T) => string): T[] {
  const now = new Map(before.map((one) => [name(one), one]));
  for (const one of change?.gone ?? []) now.delete(one);
  for (const one of change?.put ?? []) now.set(name(one), one);
  return [...now.values()];
}

type Members = NetworkState['members'];
type MemberChange = NonNullable<NetworkChange['members']>;

function memberChange(before: Members, after: Members): MemberChange | undefined {
  const old = new Map(Object.entries(before));
  const now = new Map(Object.entries(after));
  const gone = [...old.keys()].filter((group) => !now.has(group));
  const put = [...now].flatMap(([group, members]) => {
    const [were, are] = [new Set(old.get(group)), new Set(members)];
    const come = [...are].filter((one) => !were.has(one));
    const left = [...were].filter((one) => !are.has(one));
    // A group that is named and has nobody in it is not one that is not named.
    return old.has(group) && come.length + left.length === 0 ? [] : [[group, { come, left }] as const];
  });
  return put.length + gone.length === 0 ? undefined : { put: Object.fromEntries(put), gone };
}

function membersWith(before: Members, change: MemberChange | undefined): Members {
  const now = new Map(Object.entries(before));
  for (const group of change?.gone ?? []) now.delete(group);
  for (const [group, { come, left }] of Object.entries(change?.put ?? {})) {
    const members = new Set(now.get(group));
    for (const one of left) members.delete(one);
    for (const one of come) members.add(one);
    now.set(group, [...members]);
  }
  return Object.fromEntries(now);
}
