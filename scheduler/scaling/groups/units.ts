import type { Distribution, GroupRecord, MachineRecord } from './records.ts';

type Weighed = Pick<MachineRecord, 'weight'>;

/** How much capacity machines are together (ASG user guide, "Instance weights"). */
export const unitsOf = (machines: readonly Weighed[]): number =>
  machines.reduce((sum, { weight = 1 }) => sum + weight, 0);

/** The type of a group's next machine, where its policy names some, and how much capacity it is. Where one type cannot be had, the next is tried. */
export function nextType({ types = [], weights, failures }: Pick<GroupRecord, 'types' | 'weights' | 'failures'>): {
  readonly type: string | undefined;
  readonly weight: number;
} {
  const turn = types.length === 0 ? 0 : failures % types.length;
  return { type: types[turn], weight: weights?.[turn] ?? 1 };
}

/**
 * How much of a capacity is to be of machines that stay: the base first, then the percentage of what is beyond it, rounded up (ASG user
 * guide, "Instances distribution").
 * @param units the whole capacity
 */
export const staying = ({ onDemandBase, onDemandPercentage }: Distribution, units: number): number =>
  Math.min(units, onDemandBase) + Math.ceil((Math.max(0, units - onDemandBase) * onDemandPercentage) / 100);

/** Whether a group's next machine may be one that can be taken back. @param there the machines that it has, and that are to stay */
export function nextIsSpot(
  { distribution }: Pick<GroupRecord, 'distribution'>,
  there: readonly Pick<MachineRecord, 'weight' | 'spot'>[],
  weight: number,
): boolean {
  if (distribution === undefined) return false;
  const stay = unitsOf(there.filter(({ spot }) => spot !== true));
  return stay >= staying(distribution, unitsOf(there) + weight);
}

/** Of which kind a group has too much when it goes without a machine: 0 for one that should go first, else 1. */
export function excessOf(
  { distribution }: Pick<GroupRecord, 'distribution'>,
  there: readonly Pick<MachineRecord, 'weight' | 'spot'>[],
  machine: Pick<MachineRecord, 'weight' | 'spot'>,
): number {
  if (distribution === undefined) return 0;
  const stay = unitsOf(there.filter(({ spot }) => spot !== true));
  const tooMany = stay > staying(distribution, unitsOf(there) - unitsOf([machine]));
  return tooMany === (machine.spot !== true) ? 0 : 1;
}
