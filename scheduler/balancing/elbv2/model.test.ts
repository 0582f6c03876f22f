import { holdToModel } from '@slipway/auth/protocol/testing';

import { elbv2Schemas } from './create-elbv2.ts';
import { notServed } from './not-served.ts';

holdToModel({ what: "ELB's API", folder: 'elbv2/2015-12-01', schemas: elbv2Schemas, notServed, complete: true });
