import { holdToModel } from '@slipway/auth/protocol/testing';

import { alarmSchemas } from './create-alarms.ts';

// What metrics and dashboards have is held to the model where they are.
holdToModel({
  what: 'the alarms of CloudWatch',
  folder: 'cloudwatch/2010-08-01',
  schemas: alarmSchemas,
  notServed: {},
  complete: false,
});
