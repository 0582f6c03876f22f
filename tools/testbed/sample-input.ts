import type { OperationModel } from '@slipway/auth/protocol';

type Schema = OperationModel['input'];

/** Made-up values by member name, where a plain word would not be valid. */
export type SampleValues = Readonly<Record<string, unknown>>;

/**
 * The least input an operation takes, made from the SDK's own schema: its required members, and those that `values` names
 * (by member, or by `Operation.member`).
 */
export function sampleInput(operation: string, schema: Schema, values: SampleValues): Record<string, unknown> {
  const input: Record<string, unknown> = {};
  for (const [name, member] of members(schema)) {
    const given = values[`${operation}.${name}`];
    if (given !== undefined) input[name] = given;
    else if (isRequired(schema, name)) input[name] = values[name] ?? sample(member, values, 0);
  }
  return input;
}

function sample(schema: Schema, values: SampleValues, depth: number): unknown {
  if (depth > 8) return undefined;
  if (schema.isStructSchema()) {
    return Object.fromEntries(
      members(schema)
        .filter(([name]) => isRequired(schema, name))
        .map(([name, member]) => [name, values[name] ?? sample(member, values, depth + 1)]),
    );
  }
  if (schema.isListSchema()) return [sample(schema.getValueSchema(), values, depth + 1)];
  if (schema.isMapSchema()) return { key: sample(schema.getValueSchema(), values, depth + 1) };
  if (schema.isBooleanSchema()) return false;
  if (schema.isNumericSchema()) return 1;
  if (schema.isBlobSchema()) return Buffer.from('x');
  if (schema.isTimestampSchema()) return new Date(0);
  return 'sample';
}

const members = (schema: Schema): [string, Schema][] => (schema.isStructSchema() ? [...schema.structIterator()] : []);

/** Required members come first; the schema says how many they are. */
function isRequired(schema: Schema, name: string): boolean {
  const count = (schema.getSchema() as unknown as { readonly 6?: number })[6] ?? 0;
  return members(schema).findIndex(([member]) => member === name) < count;
}
