import { nextType, unitsOf } from '../groups/index.ts';
import type { SizedGroup, SizedMachine } from './ports.ts';

/** A group's bounds in hosts, as managed scaling counts, and what so many hosts are as its capacity. */
export interface InHosts {
  readonly min: number;
  readonly max: number;
  readonly desired: number;
  /** What so many hosts are as capacity. */
  readonly units: (hosts: number) => number;
}

/**
 * Counts a group's capacity in hosts: those that it has are what they weigh, and each one more is what the next one weighs. Where it has more
 * than is asked for, the lightest are counted, so that there is enough whichever of the others go.
 */
export function inHosts(group: SizedGroup, machines: readonly SizedMachine[]): InHosts {
  const there = machines.filter(({ state }) => state !== 'Terminating').toSorted((a, b) => unitsOf([a]) - unitsOf([b]));
  const { weight } = nextType(group);
  const units = unitsOf(there);
  const atLeast = (wanted: number): number => {
    if (wanted > units) return there.length + Math.ceil((wanted - units) / weight);
    let hosts = 0;
    for (let left = wanted; left > 0; hosts++) left -= unitsOf(there.slice(hosts, hosts + 1));
    return hosts;
  };
  return {
    min: atLeast(group.min),
    max: Math.max(0, there.length + Math.floor((group.max - units) / weight)),
    desired: atLeast(group.desired),
    units: (hosts) => Math.min(group.max, unitsOf(there.slice(0, hosts)) + Math.max(0, hosts - there.length) * weight),
  };
}
