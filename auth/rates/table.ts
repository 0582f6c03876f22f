import type { Rate } from './rate.ts';
import type { RateTable } from './rates.ts';

/** Failed authentications from one address for one name, where nothing else is said: 20 a minute. */
const defaultFailures: Rate = { perSecond: 20 / 60, burst: 20 };

/** What a server limits; what is absent is not limited, but for failures. */
export interface RateSettings {
  /** Requests of one principal (of one address, without credentials). */
  readonly perPrincipal?: Rate | undefined;
  /** Requests of everybody together. */
  readonly global?: Rate | undefined;
  /** Failed authentications from one address for one name; beyond it they are answered as throttled. Default 20 a minute. */
  readonly failures?: Rate | undefined;
}

/** The rates of a server's settings, the default in place. */
export const rateTable = (limits: RateSettings = {}): RateTable => ({
  principal: limits.perPrincipal,
  global: limits.global,
  failures: limits.failures ?? defaultFailures,
});
