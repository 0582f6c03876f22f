import { systemClock } from '@slipway/storage/clock';
import { arnOf } from '../../kit/index.ts';
import { LocalRates, type RateSettings, rateTable } from '../../rates/index.ts';
import type { GatewayOptions } from '../options.ts';

/**
 * What a gateway must be given and a test about something else does not look at: nothing is kept of requests, one process counts
 * them, and repositories have no policies.
 */
export const unwatched = (
  region: string,
  limits?: RateSettings,
): Pick<GatewayOptions, 'audit' | 'rates' | 'repository'> => ({
  audit: { write: () => undefined },
  rates: new LocalRates(rateTable(limits), systemClock),
  repository: async (account, name) => ({
    arn: arnOf({ service: 'ecr', region, account, resource: `repository/${name}` }),
  }),
});
