import { holdToModel } from '@slipway/auth/protocol/testing';

import { logsSchemas } from './create-logs.ts';
import { notServed } from './not-served.ts';

holdToModel({
  what: 'the API of CloudWatch Logs',
  folder: 'logs/2014-03-28',
  schemas: logsSchemas,
  notServed,
  complete: true,
});
