import { holdToModel } from '@slipway/auth/protocol/testing';

import { kmsSchemas } from './create-kms.ts';
import { notServed } from './not-served.ts';

holdToModel({
  what: 'the API of KMS',
  folder: 'kms/2014-11-01',
  schemas: kmsSchemas,
  notServed,
  complete: true,
});
