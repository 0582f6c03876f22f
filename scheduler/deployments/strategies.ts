import type { ServiceRecord } from '../state/index.ts';

import { blueGreen } from './blue-green.ts';
import { canary } from './canary.ts';
import { daemon } from './daemon.ts';
import { external } from './external.ts';
import { linear } from './linear.ts';
import { rolling } from './rolling.ts';
import { shiftingOf } from './shift-state.ts';
import type { Strategy } from './strategy.ts';
import { hasTaskSets } from './task-sets.ts';

/** Every strategy, by the name that ECS has for it; DAEMON is a service's scheduling strategy there, EXTERNAL its deployment controller. */
const strategies = {
  ROLLING: rolling,
  DAEMON: daemon,
  BLUE_GREEN: blueGreen,
  LINEAR: linear,
  CANARY: canary,
  EXTERNAL: external,
} as const satisfies Readonly<Record<string, Strategy>>;

/** How the service gets on now: one that is as it should be, goes back, or ends is kept by the rolling step. */
export function strategyOf(service: ServiceRecord): Strategy {
  if (service.schedulingStrategy === 'DAEMON') return strategies.DAEMON;
  if (hasTaskSets(service)) return strategies.EXTERNAL;
  return strategies[shiftingOf(service)?.strategy.type ?? 'ROLLING'];
}
