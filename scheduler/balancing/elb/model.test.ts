import { modelOf, type OperationModel } from '@slipway/auth/protocol';
import { type BotocoreModel, botocoreModel, operationDifferences } from '@slipway/auth/protocol/testing';
import { describe, expect, test } from 'vitest';

import { elbSchemas } from './create-elb.ts';
import { notServed } from './not-served.ts';

const model = botocoreModel('elb/2012-06-01');
const ours = modelOf(elbSchemas).operations;
const missing = model === undefined ? 'no botocore' : undefined;
if (missing !== undefined && process.env['CI']) throw new Error(`${missing} on this machine`);

describe.skipIf(missing !== undefined)(
  `the shapes of the classic API, held to botocore's model${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    const served = [...ours.keys()].filter((name) => !Object.hasOwn(notServed, name));

    test('every operation is served or refused by name', () => {
      expect([...ours.keys()].toSorted()).toEqual(Object.keys((model as BotocoreModel).operations).toSorted());
    });

    test.each(served)('%s', (name) => {
      const operation = ours.get(name) as OperationModel;
      expect(operationDifferences(model as BotocoreModel, name, operation, { isEc2: false })).toEqual([]);
    });
  },
);
