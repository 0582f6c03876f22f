import type { GroupRecord, MachineRecord } from './records.ts';

/** Milliseconds within which a machine has to join: it is replaced after that. */
export const joinWithin = 600_000;
/** Machines of a group that are made at once. */
export const atOnce = 10;

/** The zones of new machines: each where there are the fewest. */
export function zonesFor(
  { zones }: Pick<GroupRecord, 'zones'>,
  machines: readonly MachineRecord[],
  count: number,
): string[] {
  const has = new Map(zones.map((zone) => [zone, machines.filter((machine) => machine.zone === zone).length]));
  return Array.from({ length: count }, () => {
    const [zone] = [...has].reduce((least, one) => (one[1] < least[1] ? one : least), ['', Infinity]);
    has.set(zone, (has.get(zone) ?? 0) + 1);
    return zone;
  });
}
