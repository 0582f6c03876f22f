import { holdToModel } from '@slipway/auth/protocol/testing';

import { scalingSchemas } from './create-scaling.ts';

holdToModel({
  what: 'the API of Application Auto Scaling',
  folder: 'application-autoscaling/2016-02-06',
  schemas: scalingSchemas,
  notServed: {},
  complete: true,
});
