import { shiftsTraffic } from './shifting.ts';

/** All traffic goes to the new revision at once. */
export const blueGreen = shiftsTraffic({ percents: () => [100], stepBakeMinutes: () => 0 });
