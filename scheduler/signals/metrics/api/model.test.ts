import { holdToModel } from '@slipway/auth/protocol/testing';

import { cloudWatchSchemas } from './create-cloudwatch.ts';
import { notServed } from './not-served.ts';

// Alarms are another room's: whether nothing is forgotten is asked where both are known.
holdToModel({
  what: 'the API of CloudWatch',
  folder: 'cloudwatch/2010-08-01',
  schemas: cloudWatchSchemas,
  notServed,
  complete: false,
});
