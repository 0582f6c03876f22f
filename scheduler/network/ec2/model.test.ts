import { modelOf, type OperationModel } from '@slipway/auth/protocol';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';

import { ec2Schemas } from './create-ec2.ts';
import { notServed } from './not-served.ts';

/** What botocore, which the AWS CLI is made of, says of a shape. */
interface Shape {
  readonly type: string;
  readonly required?: readonly string[];
  readonly members?: Readonly<Record<string, Reference>>;
  readonly member?: Reference;
}
interface Reference {
  readonly shape: string;
  readonly locationName?: string;
  readonly queryName?: string;
}
interface Model {
  readonly shapes: Readonly<Record<string, Shape>>;
  readonly operations: Readonly<Record<string, { readonly input?: Reference; readonly output?: Reference }>>;
}

function findModel(): Model | undefined {
  for (const python of ['python3', '/usr/bin/python3']) {
    try {
      const where = ['-c', 'import botocore; print(botocore.__path__[0])'];
      const folder = execFileSync(python, where, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
      const file = join(folder, 'data', 'ec2', '2016-11-15', 'service-2.json');
      const text = existsSync(file) ? readFileSync(file) : gunzipSync(readFileSync(`${file}.gz`));
      return JSON.parse(text.toString('utf8')) as Model;
    } catch {
      continue;
    }
  }
  return undefined;
}

const model = findModel();
const ours = modelOf(ec2Schemas).operations;
const missing = model === undefined ? 'no botocore' : undefined;
if (missing !== undefined && process.env['CI']) throw new Error(`${missing} on this machine`);

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

type Schema = OperationModel['input'];

/** Where our shapes differ from the model's. @param whole whether each member of the model's must be known here */
function differences(path: string, schema: Schema, shape: Shape, whole: boolean, depth = 0): string[] {
  if (schema.isListSchema() !== (shape.type === 'list') || schema.isStructSchema() !== (shape.type === 'structure'))
    return [`${path} is a ${shape.type}`];
  if (shape.type === 'list') {
    const element = model?.shapes[shape.member?.shape ?? ''];
    if (element === undefined) return [`${path} has no elements`];
    return differences(`${path}[]`, schema.getValueSchema(), element, whole, depth + 1);
  }
  if (shape.type !== 'structure') {
    const kind = schema.isBooleanSchema()
      ? 'boolean'
      : schema.isTimestampSchema()
        ? 'timestamp'
        : schema.isNumericSchema()
          ? 'integer'
          : 'string';
    return kind === shape.type ? [] : [`${path} is a ${shape.type}, not a ${kind}`];
  }
  const members = new Map(schema.structIterator());
  const problems = [...members].flatMap(([name, member]) => {
    const theirs = shape.members?.[name];
    if (theirs === undefined) return [`${path}.${name} does not exist`];
    const wire = (member.getMergedTraits() as { readonly xmlName?: string }).xmlName ?? name;
    const named = theirs.locationName ?? name;
    const asked = theirs.queryName ?? capital(named);
    const right = whole ? capital(wire) === asked : wire === named;
    return [
      ...(right ? [] : [`${path}.${name} is called ${whole ? asked : named} on the wire, not ${wire}`]),
      ...differences(`${path}.${name}`, member, model?.shapes[theirs.shape] as Shape, whole && depth < 3, depth + 1),
    ];
  });
  // Within structures that are refused as a whole nothing needs to be known.
  const unknown = whole && depth === 0 ? Object.keys(shape.members ?? {}).filter((name) => !members.has(name)) : [];
  return [...problems, ...unknown.map((name) => `${path}.${name} is neither read nor refused`)];
}

describe.skipIf(missing !== undefined)(
  `the shapes of EC2's API, held to botocore's model${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    const served = [...ours.keys()].filter((name) => !Object.hasOwn(notServed, name));

    test('what is not served exists, so that nobody looks for it in vain', () => {
      expect(Object.keys(notServed).filter((name) => model?.operations[name] === undefined)).toEqual([]);
    });

    test.each(served)('%s', (name) => {
      const theirs = model?.operations[name];
      const { input, output } = ours.get(name) as OperationModel;
      const inputShape = model?.shapes[theirs?.input?.shape ?? ''];
      const outputShape = model?.shapes[theirs?.output?.shape ?? ''] ?? { type: 'structure', members: {} };
      expect(inputShape && differences('input', input, inputShape, true)).toEqual([]);
      expect(output && differences('output', output, outputShape, false)).toEqual([]);
      const required = [...input.structIterator()].slice(0, (input.getSchema() as unknown as { 6: number })[6]);
      expect(
        required.map(([member]) => member).filter((member) => inputShape?.required?.includes(member) !== true),
      ).toEqual([]);
    });
  },
);
