/** The strategies of ECS (developer guide, "task placement strategies"), and what the core adds to them. */
import { PlacementError } from './errors.ts';
import type { Strategy } from './extension.ts';

/** Room for any number of MiB or CPU units, and for a million tasks of one group on one instance. */
const amounts = 2 ** 31;
const counts = 2 ** 20;

/** The candidate with the least of the resource left: an absolute amount, not a share. */
export const binpack: Strategy = {
  type: 'binpack',
  open({ field }) {
    if (field === 'cpu') {
      return { reads: { kind: 'remaining', resource: 'cpu' }, score: (candidate) => candidate.freeCpu, bound: amounts };
    }
    if (field === 'memory') {
      const reads = { kind: 'remaining', resource: 'memory' } as const;
      return { reads, score: (candidate) => candidate.freeMemory, bound: amounts };
    }
    throw new PlacementError('INVALID_INPUT', `binpack takes the field cpu or memory, not "${field ?? ''}"`);
  },
};

/**
 * The instance, or the attribute value, with the fewest tasks of the group. Instances without the attribute count as
 * having one common value (AWS does not document them): a cluster without zones spreads as if it were one zone.
 */
export const spread: Strategy = {
  type: 'spread',
  open({ field }) {
    if (field === 'instanceId' || field === 'host') {
      return { reads: { kind: 'group' }, score: (candidate) => candidate.groupTasks, bound: counts };
    }
    const attribute = /^attribute:(.+)$/.exec(field ?? '')?.[1];
    if (attribute === undefined) {
      throw new PlacementError(
        'INVALID_INPUT',
        `spread takes the field instanceId, host or attribute:NAME, not "${field ?? ''}"`,
      );
    }
    return { reads: { kind: 'spread', attribute }, score: (candidate) => candidate.groupTasksWithSame(attribute) };
  },
};

export const random: Strategy = {
  type: 'random',
  open: () => ({ reads: { kind: 'random' }, score: () => 0 }),
};

/** The last word after a `spread`: the instance with the most memory left, so that small services do not pile up on one. */
export const roomiest: Strategy = {
  type: 'slipway:roomiest',
  open: () => ({
    reads: { kind: 'instance' },
    score: (candidate) => amounts - 1 - candidate.freeMemory,
    bound: amounts,
  }),
};

/** Best fit over CPU and memory at once: the least sum of squared shares left, so that neither is stranded. */
export const bestFit: Strategy = {
  type: 'slipway:best-fit',
  open: ({ shape }) => ({
    reads: { kind: 'instance' },
    score(candidate) {
      const cpu = share(candidate.freeCpu - shape.cpu, candidate.totalCpu);
      const memory = share(candidate.freeMemory - shape.memory, candidate.totalMemory);
      return cpu * cpu + memory * memory;
    },
  }),
};

/**
 * For mixed instance sizes: the instance on which the least is left over, measured in machine size: the larger of the
 * shares left of CPU and memory, times the size of the instance. Small instances fill first, and a large one is opened
 * only for what fits nowhere else.
 */
export const leastWaste: Strategy = {
  type: 'slipway:least-waste',
  open: ({ shape }) => ({
    reads: { kind: 'instance' },
    score(candidate) {
      const cpu = share(candidate.freeCpu - shape.cpu, candidate.totalCpu);
      const memory = share(candidate.freeMemory - shape.memory, candidate.totalMemory);
      // One vCPU weighs as much as 4 GiB, the ratio of general-purpose machines.
      return Math.max(cpu, memory) * (candidate.totalCpu / 1024 + candidate.totalMemory / 4096);
    },
  }),
};

/** The fewest bytes to pull: the layers of the task's images that the instance does not hold. */
export const imageLocality: Strategy = {
  type: 'slipway:image-locality',
  open: ({ shape }) => ({
    reads: { kind: 'instance' },
    score(candidate) {
      let missing = 0;
      for (const { digest, size } of shape.layers ?? []) if (!candidate.holdsLayer(digest)) missing += size;
      return missing;
    },
  }),
};

/** Every strategy the core offers by name. One more is one more line here. */
export const strategies: readonly Strategy[] = [binpack, spread, random, roomiest, bestFit, leastWaste, imageLocality];

const share = (left: number, total: number): number => (total === 0 ? 0 : left / total);

/** The types that come with the placement core beyond ECS's own. */
export const builtInExtensions: {
  readonly strategies: ReadonlySet<string>;
  readonly constraints: ReadonlySet<string>;
} = {
  strategies: new Set(
    strategies.map(({ type }) => type).filter((type) => type.includes(':') && type !== roomiest.type),
  ),
  constraints: new Set(),
};
