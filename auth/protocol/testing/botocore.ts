import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import type { OperationModel } from '../model.ts';

/** What botocore, which the AWS CLI is made of, says of a shape. */
interface Shape {
  readonly type: string;
  readonly required?: readonly string[];
  readonly members?: Readonly<Record<string, Reference>>;
  readonly member?: Reference;
  readonly value?: Reference;
}
interface Reference {
  readonly shape: string;
  readonly locationName?: string;
  readonly queryName?: string;
}
/** A service as botocore describes it. */
export interface BotocoreModel {
  readonly shapes: Readonly<Record<string, Shape>>;
  readonly operations: Readonly<Record<string, { readonly input?: Reference; readonly output?: Reference }>>;
}

/** botocore's model of a service, or undefined on a machine without botocore. @param service its folder: `ec2/2016-11-15` */
export function botocoreModel(service: string): BotocoreModel | undefined {
  for (const python of ['python3', '/usr/bin/python3']) {
    try {
      const where = ['-c', 'import botocore; print(botocore.__path__[0])'];
      const folder = execFileSync(python, where, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
      const file = join(folder, 'data', service, 'service-2.json');
      const text = existsSync(file) ? readFileSync(file) : gunzipSync(readFileSync(`${file}.gz`));
      return JSON.parse(text.toString('utf8')) as BotocoreModel;
    } catch {
      continue;
    }
  }
  return undefined;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

type Schema = OperationModel['input'];
interface Comparison {
  readonly model: BotocoreModel;
  /** Whether requests name members as EC2's protocol does: by `queryName`, or with a capital. */
  readonly isEc2: boolean;
  /** Whether it is an input, each of whose members must be known here. */
  readonly isInput: boolean;
}

/** Where shapes that were written by hand differ from botocore's for one operation. */
export function operationDifferences(
  model: BotocoreModel,
  name: string,
  { input, output }: OperationModel,
  { isEc2 }: { readonly isEc2: boolean },
): string[] {
  const theirs = model.operations[name];
  const none: Shape = { type: 'structure', members: {} };
  const inputShape = theirs?.input === undefined ? theirs && none : model.shapes[theirs.input.shape];
  const outputShape = model.shapes[theirs?.output?.shape ?? ''] ?? none;
  if (inputShape === undefined) return [`${name} does not exist`];
  const required = [...input.structIterator()].slice(0, (input.getSchema() as unknown as { 6: number })[6]);
  return [
    ...differences({ model, isEc2, isInput: true }, 'input', input, inputShape),
    ...(output === undefined ? [] : differences({ model, isEc2, isInput: false }, 'output', output, outputShape)),
    ...required
      .filter(([member]) => inputShape.required?.includes(member) !== true)
      .map(([member]) => `input.${member} is not required`),
  ];
}

function differences(compared: Comparison, path: string, schema: Schema, shape: Shape, depth = 0): string[] {
  const { model, isEc2, isInput } = compared;
  if (schema.isListSchema() !== (shape.type === 'list') || schema.isStructSchema() !== (shape.type === 'structure'))
    return [`${path} is a ${shape.type}`];
  if (shape.type === 'list') {
    const element = model.shapes[shape.member?.shape ?? ''];
    if (element === undefined) return [`${path} has no elements`];
    return differences(compared, `${path}[]`, schema.getValueSchema(), element, depth + 1);
  }
  if (shape.type === 'map') {
    const of = model.shapes[shape.value?.shape ?? ''];
    if (of === undefined || !schema.isMapSchema()) return [`${path} is a map`];
    return differences(compared, `${path}{}`, schema.getValueSchema(), of, depth + 1);
  }
  if (shape.type !== 'structure') {
    const kind = schema.isBooleanSchema()
      ? 'boolean'
      : schema.isTimestampSchema()
        ? 'timestamp'
        : schema.isNumericSchema()
          ? 'integer'
          : schema.isBlobSchema()
            ? 'blob'
            : 'string';
    // JSON has one kind of numbers.
    const theirs = ['long', 'double', 'float'].includes(shape.type) ? 'integer' : shape.type;
    return kind === theirs ? [] : [`${path} is a ${shape.type}, not a ${kind}`];
  }
  const members = new Map(schema.structIterator());
  const problems = [...members].flatMap(([name, member]) => {
    const theirs = shape.members?.[name];
    if (theirs === undefined) return [`${path}.${name} does not exist`];
    const wire = (member.getMergedTraits() as { readonly xmlName?: string }).xmlName ?? name;
    const named = theirs.locationName ?? name;
    const asked = isEc2 && isInput ? (theirs.queryName ?? capital(named)) : named;
    const sent = isEc2 && isInput ? capital(wire) : wire;
    // What stands deep in a request of EC2 also stands in answers, under the answers' names.
    const next = { ...compared, isInput: isInput && depth < 4 };
    return [
      ...(sent === asked ? [] : [`${path}.${name} is called ${asked} on the wire, not ${sent}`]),
      ...differences(next, `${path}.${name}`, member, model.shapes[theirs.shape] as Shape, depth + 1),
    ];
  });
  // Within structures that are refused as a whole nothing needs to be known.
  const unknown = isInput && depth === 0 ? Object.keys(shape.members ?? {}).filter((name) => !members.has(name)) : [];
  return [...problems, ...unknown.map((name) => `${path}.${name} is neither read nor refused`)];
}
