import { modelOf, type OperationModel } from '@slipway/auth/protocol';
import { type BotocoreModel, botocoreModel, operationDifferences } from '@slipway/auth/protocol/testing';
import { describe, expect, test } from 'vitest';

import { ec2Schemas } from './create-ec2.ts';
import { notServed } from './not-served.ts';

const model = botocoreModel('ec2/2016-11-15');
const ours = modelOf(ec2Schemas).operations;
const missing = model === undefined ? 'no botocore' : undefined;
if (missing !== undefined && process.env['CI']) throw new Error(`${missing} on this machine`);

describe.skipIf(missing !== undefined)(
  `the shapes of EC2's API, held to botocore's model${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    const served = [...ours.keys()].filter((name) => !Object.hasOwn(notServed, name));

    test('what is not served exists, so that nobody looks for it in vain', () => {
      expect(Object.keys(notServed).filter((name) => model?.operations[name] === undefined)).toEqual([]);
    });

    test.each(served)('%s', (name) => {
      const operation = ours.get(name) as OperationModel;
      expect(operationDifferences(model as BotocoreModel, name, operation, { isEc2: true })).toEqual([]);
    });
  },
);
