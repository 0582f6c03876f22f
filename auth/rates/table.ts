import type { Rate } from './rate.ts';
import type { RateTable } from './rates.ts';

/** Failed authentications from one address for one name, where nothing else is said: 20 a minute. */
export const defaultFailures: Rate = { perSecond: 20 / 60, burst: 20 };

/** What a server limits, defaults in place: of its settings only failures have one. */
export const rateTable = (
  limits: {
    readonly perPrincipal?: Rate | undefined;
    readonly global?: Rate | undefined;
    readonly failures?: Rate | undefined;
  } = {},
): RateTable => ({
  principal: limits.perPrincipal,
  global: limits.global,
  failures: limits.failures ?? defaultFailures,
});
