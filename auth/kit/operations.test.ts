import { expect, test } from 'vitest';

import type { Call } from '../contract/index.ts';

import { bindAll, declareOperation, refusalsOf, schemasOf } from './operations.ts';
import { refused, required, shapesOf, simpleShapes } from './shapes.ts';

const { struct, operationSchema } = shapesOf({ namespace: 'com.amazonaws.things' });
const rules = { operationSchema, unsupported: (what: string, how: string) => new Error(`${what}: ${how}`) };
const nothing = struct('Unit', {});
const api = { region: 'eu-central-1' };
const call = { account: '123456789012' } as Call;

const operations = {
  Make: declareOperation(rules, {
    input: struct('MakeRequest', { Name: required(simpleShapes.text), Key: refused(simpleShapes.text, 'No keys.') }),
    output: struct('MakeResponse', { Arn: simpleShapes.text }),
    access: ({ Name }, { account }) => [{ action: 'things:Make', resources: [{ arn: `${account}/${Name}` }] }],
    handle: ({ Name }, scene) => ({ Arn: `${scene.region}/${scene.account}/${Name}` }),
    bodyBytes: 7,
  }),
  ...refusalsOf<typeof api>(
    { Break: 'Things stay whole.' },
    {
      ...rules,
      inputOf: (name) => struct(`${name}Request`, {}),
      nothing,
      mayList: (action) => () => [{ action: `things:${action}`, resources: [{ arn: '*' }] }],
    },
  ),
};
const { Make, Break } = bindAll(operations, api);
/** What a caller must be allowed for an operation. */
const access = (of: typeof Make, input: object): unknown =>
  typeof of?.access === 'function' ? of.access(input as never, call) : undefined;

test('an operation is told where and for whom it works, and a member that nothing acts on is refused before it does', async () => {
  const input = { Name: 'one' } as never;
  expect(await access(Make, input)).toEqual([{ action: 'things:Make', resources: [{ arn: '123456789012/one' }] }]);
  expect(await Make?.handle(input, call)).toEqual({ Arn: 'eu-central-1/123456789012/one' });
  expect([Make?.bodyBytes, Break?.bodyBytes]).toEqual([7, undefined]);
  await expect(Make?.handle({ Name: 'one', Key: 'k' } as never, call)).rejects.toThrow('Key: No keys.');
});

test('an operation that is not served says what to do instead, to whoever may call it', async () => {
  expect(await access(Break, {})).toEqual([{ action: 'things:Break', resources: [{ arn: '*' }] }]);
  await expect(Break?.handle({} as never, call)).rejects.toThrow('Break: Things stay whole.');
});

test('schemas stand under the names that an SDK client module has them under', () => {
  expect(Object.entries(schemasOf(operations)).map(([name, schema]) => [name, (schema as unknown[])[2]])).toEqual([
    ['Make$', 'Make'],
    ['Break$', 'Break'],
  ]);
});
