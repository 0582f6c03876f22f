export { LeasedRates, type RateSource } from './leased-rates.ts';
export { type Lease, type Rate, RateLimiter } from './rate.ts';
export { type LimitName, LocalRates, type Rates, type RateTable } from './rates.ts';
export { usageRows } from './keys.ts';
export { SharedUsage, type SharedUsageOptions, type UsageSource } from './shared-usage.ts';
export { type RateSettings, rateTable } from './table.ts';
