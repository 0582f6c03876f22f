import { holdToModel } from '@slipway/auth/protocol/testing';

import { ec2Schemas } from './create-ec2.ts';
import { notServed } from './not-served.ts';

holdToModel({ what: "EC2's API", folder: 'ec2/2016-11-15', schemas: ec2Schemas, notServed, complete: false });
