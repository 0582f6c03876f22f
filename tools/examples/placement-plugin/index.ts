/** Hosts carry the attributes `watts-per-vcpu` and `rack-temperature`, set with `aws ecs put-attributes`. */
import type { Constraint, Strategy } from '@slipway/scheduler/placement';

/** The least power for the task: watts per vCPU times what it reserves. Hosts that do not say come last. */
const leastPower: Strategy = {
  type: 'energy:least-power',
  open: ({ shape }) => ({
    reads: { kind: 'instance' },
    score(candidate) {
      const watts = Number(candidate.attribute('watts-per-vcpu') ?? Infinity);
      return Number.isNaN(watts) ? Infinity : (watts * shape.cpu) / 1024;
    },
  }),
};

/** Only hosts whose rack is at most so warm: `expression` is degrees Celsius. */
const notHotterThan: Constraint = {
  type: 'energy:not-hotter-than',
  open({ expression }) {
    const limit = Number(expression);
    if (expression === undefined || Number.isNaN(limit))
      throw new Error('the expression is a number of degrees Celsius');
    return {
      reads: 'instance',
      allows: (candidate) => Number(candidate.attribute('rack-temperature') ?? 0) <= limit,
    };
  },
};

export const strategies = [leastPower];
export const constraints = [notHotterThan];
