import { ofType, shiftsTraffic } from './shifting.ts';

/** A little traffic goes to the new revision first, and the rest after a while. */
export const canary = shiftsTraffic({
  percents: (strategy) => [...new Set([ofType(strategy, 'CANARY').canaryPercent, 100])],
  stepBakeMinutes: (strategy) => ofType(strategy, 'CANARY').canaryBakeTimeInMinutes,
});
