import { holdToModel } from '@slipway/auth/protocol/testing';

import { secretsSchemas } from './create-secrets-manager.ts';
import { notServed } from './not-served.ts';

holdToModel({
  what: 'the API of Secrets Manager',
  folder: 'secretsmanager/2017-10-17',
  schemas: secretsSchemas,
  notServed,
  complete: true,
});
