import { holdToModel } from '@slipway/auth/protocol/testing';

import { elbSchemas } from './create-elb.ts';
import { notServed } from './not-served.ts';

holdToModel({
  what: 'the classic API of ELB',
  folder: 'elb/2012-06-01',
  schemas: elbSchemas,
  notServed,
  complete: true,
});
