import { holdToModel } from '@slipway/auth/protocol/testing';

import { parametersSchemas } from './create-parameter-store.ts';
import { notServed } from './not-served.ts';

holdToModel({
  what: 'the API of Parameter Store',
  folder: 'ssm/2014-11-06',
  schemas: parametersSchemas,
  notServed,
  complete: false,
});
