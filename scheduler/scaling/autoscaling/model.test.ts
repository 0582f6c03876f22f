import { holdToModel } from '@slipway/auth/protocol/testing';

import { autoScalingSchemas } from './create-autoscaling.ts';
import { notServed } from './not-served.ts';

holdToModel({
  what: 'the API of EC2 Auto Scaling',
  folder: 'autoscaling/2011-01-01',
  schemas: autoScalingSchemas,
  notServed,
  complete: true,
});
