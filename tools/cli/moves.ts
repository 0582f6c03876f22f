import type { Service } from '@aws-sdk/client-ecs';

/** Whether tasks of a service are moved to where its placement strategies would have them, and the last move with its reason. */
export function movesOf({ tags = [], events = [] }: Pick<Service, 'tags' | 'events'>): string | undefined {
  if (!tags.some(({ key, value }) => key === 'slipway:rebalance' && value === 'true')) return undefined;
  const last = events.find(({ message = '' }) => / moves \(task /.test(message));
  return last === undefined
    ? 'its tasks are moved (slipway:rebalance): lately none was, as its placement strategies gain too little by any'
    : `its tasks are moved (slipway:rebalance), the last at ${last.createdAt?.toISOString() ?? ''}: ${last.message ?? ''}`;
}
