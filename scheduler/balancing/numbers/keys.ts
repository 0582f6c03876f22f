import { definePartition, type OwnedRows } from '@slipway/storage/records';

/** What engines count changes every few seconds: it lies apart from what load balancers are, whose followers it would wake. */
const numbers = definePartition('elb-numbers/<account>', 'what the traffic engines of one account have counted');
export const numbersPartition = numbers.name;

export const numbersKeys = {
  /** Of one engine. */
  of: (engine: string): string => `sample/${engine}/`,
  group: (engine: string, id: string): string => `sample/${engine}/group/${id}`,
  balancer: (engine: string, id: string): string => `sample/${engine}/balancer/${id}`,
  samples: 'sample/',
} as const;

export const numbersRows: OwnedRows = {
  partition: numbers,
  owner: 'scheduler/balancing/numbers',
  keys: [numbersKeys.samples],
};
