import { holdToModel } from '@slipway/auth/protocol/testing';

import { acmSchemas } from './create-acm.ts';
import { notServed } from './not-served.ts';

holdToModel({ what: "ACM's API", folder: 'acm/2015-12-08', schemas: acmSchemas, notServed, complete: true });
