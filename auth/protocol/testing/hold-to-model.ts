import { describe, expect, test } from 'vitest';

import { modelOf, type OperationModel } from '../model.ts';
import { type BotocoreModel, botocoreModel, operationDifferences } from './botocore.ts';

/** A service whose shapes are written by hand. */
export interface HandWritten {
  /** As the tests call it. */
  readonly what: string;
  /** botocore's folder of it: `ec2/2016-11-15`. */
  readonly folder: string;
  readonly schemas: Readonly<Record<string, unknown>>;
  /** Operations that are refused by name, whose shapes nobody reads. */
  readonly notServed: Readonly<Record<string, string>>;
  /** Whether every operation of the model's is served or refused by name. */
  readonly complete: boolean;
}

/** Tests that hold the shapes of a service to botocore's model: without botocore they are skipped, on CI that is an error. */
export function holdToModel({ what, folder, schemas, notServed, complete }: HandWritten): void {
  const model = botocoreModel(folder);
  const ours = modelOf(schemas).operations;
  const missing = model === undefined ? 'no botocore' : undefined;
  if (missing !== undefined && process.env['CI']) throw new Error(`${missing} on this machine`);

  describe.skipIf(missing !== undefined)(
    `the shapes of ${what}, held to botocore's model${missing === undefined ? '' : ` (${missing})`}`,
    () => {
      test('what is served or refused by name exists, so that nobody looks for it in vain, and is all if it must be', () => {
        const theirs = Object.keys(model?.operations ?? {}).filter((name) => complete || ours.has(name));
        expect([...ours.keys()].toSorted()).toEqual(theirs.toSorted());
      });

      test.each([...ours.keys()].filter((name) => !Object.hasOwn(notServed, name)))('%s', (name) => {
        const operation = ours.get(name) as OperationModel;
        const isEc2 = folder.startsWith('ec2/');
        expect(operationDifferences(model as BotocoreModel, name, operation, { isEc2 })).toEqual([]);
      });
    },
  );
}
