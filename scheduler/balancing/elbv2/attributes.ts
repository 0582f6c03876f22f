import {
  type Attributes,
  attributeKind,
  attributeTables,
  effectiveAttributes,
  type ListenerRecord,
  type LoadBalancerRecord,
  readAttribute,
  type TargetGroupRecord,
} from '../records/index.ts';

import { validation } from './errors.ts';
import { find } from './lists.ts';
import { type ElbOperations, mayOn, operation } from './operation.ts';
import { attributes, required, struct, text } from './shapes.ts';

type Holder = LoadBalancerRecord | TargetGroupRecord | ListenerRecord;
type Given = readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[];

/** Attributes of load balancers, target groups and listeners: what they are is in one table (`records/attributes.ts`). */
export const attributeOperations: ElbOperations = {
  ...pair('loadbalancer', 'LoadBalancer'),
  ...pair('targetgroup', 'TargetGroup'),
  ...pair('listener', 'Listener'),
};

function pair<T extends 'loadbalancer' | 'targetgroup' | 'listener'>(
  type: T,
  noun: 'LoadBalancer' | 'TargetGroup' | 'Listener',
): ElbOperations {
  const member = `${noun}Arn`;
  type Named = Readonly<Record<string, string>>;
  const arnOf = (input: object): string => (input as Named)[member] as string;
  const output = struct(`${noun}AttributesOutput`, { Attributes: attributes });
  return {
    [`Describe${noun}Attributes`]: operation({
      input: struct(`Describe${noun}AttributesInput`, { [member]: required(text) }),
      output,
      access: mayOn(`Describe${noun}Attributes`, (input) => [arnOf(input)]),
      read: (input, scene, balancing) => ({
        Attributes: viewAttributes(find(scene, balancing, type, arnOf(input)) as Holder),
      }),
    }),
    [`Modify${noun}Attributes`]: operation({
      input: struct(`Modify${noun}AttributesInput`, { [member]: required(text), Attributes: required(attributes) }),
      output,
      access: mayOn(`Modify${noun}Attributes`, (input) => [arnOf(input)]),
      change: (input, scene, draft) => {
        const before = find(scene, draft, type, arnOf(input)) as Holder;
        const given = (input as unknown as { readonly Attributes: Given }).Attributes;
        const after = { ...before, attributes: { ...before.attributes, ...checkedAttributes(before, given) } };
        checkTogether(after);
        draft.put(type, after as never);
        return after;
      },
      answer: (record) => ({ Attributes: viewAttributes(record) }),
    }),
  };
}

/** @throws ValidationError for an attribute that does not exist, or a value that nothing acts on */
function checkedAttributes(record: Holder, given: Given): Attributes {
  const table = attributeTables[attributeKind(record)];
  const seen = new Map<string, string>();
  for (const { Key: key = '', Value: value = '' } of given) {
    const rule = Object.hasOwn(table, key) ? table[key] : undefined;
    if (rule === undefined)
      throw validation(`Attribute '${key.slice(0, 256)}' is not recognized for what it was set on`);
    if (seen.has(key)) throw validation(`Attribute '${key}' was specified more than once`);
    const problem = value.length > 1024 ? 'It has more than 1024 characters.' : rule.problem(value);
    if (problem !== undefined)
      throw validation(`'${value.slice(0, 200)}' is not valid for attribute '${key}'. ${problem}`);
    seen.set(key, value);
  }
  return Object.fromEntries(seen);
}

/** What attributes mean together. @throws ValidationError */
function checkTogether(record: Holder): void {
  if (attributeKind(record) !== 'http-group') return;
  const algorithm = readAttribute(record, 'load_balancing.algorithm.type');
  if (readAttribute(record, 'slow_start.duration_seconds') !== '0' && algorithm !== 'round_robin')
    throw validation('Slow start can only be enabled with the round_robin algorithm');
  if (readAttribute(record, 'stickiness.enabled') !== 'true') return;
  if (algorithm === 'weighted_random')
    throw validation('Stickiness is not supported with the weighted_random algorithm');
  const isByApplication = readAttribute(record, 'stickiness.type') === 'app_cookie';
  if (isByApplication && readAttribute(record, 'stickiness.app_cookie.cookie_name') === '')
    throw validation('stickiness.app_cookie.cookie_name must be specified when stickiness.type is app_cookie');
}

export const viewAttributes = (record: Holder): { Key: string; Value: string }[] =>
  Object.entries(effectiveAttributes(record)).map(([Key, Value]) => ({ Key, Value }));
