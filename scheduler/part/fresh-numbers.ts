import type { TrafficNumbers } from '../balancing/numbers/index.ts';
import type { FreshNumbers } from '../scaling/targets/index.ts';
import type { Readings } from '../signals/usage/index.ts';

/** What is measured of services as it comes in. @param account the one of which the numbers of load balancers are */
export const freshNumbers = (
  readings: Readings,
  account: string,
  numbers: () => Pick<TrafficNumbers, 'rates'>,
): FreshNumbers => ({
  readings,
  rates: (of, group, looks) => (of === account ? numbers().rates(group, looks) : undefined),
});
