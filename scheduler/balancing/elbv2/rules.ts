import { AwsError } from '@slipway/auth/contract';

import type { Balancing, ListenerRecord, RuleRecord } from '../records/index.ts';

import { actionFor, placeOf, viewAction } from './actions.ts';
import { conditionsFor, viewCondition } from './conditions.ts';
import { notFound, notPermitted, tooMany, validation } from './errors.ts';
import { find, lookUp, namedOrWithin, pageOf } from './lists.ts';
import { settledAnswer } from './load-balancers.ts';
import { listenerArn } from './names.ts';
import {
  type ElbOperations,
  mayCreate,
  mayList,
  mayOn,
  operation,
  reference,
  type Scene,
  someOf,
} from './operation.ts';
import { patternProblem } from './patterns.ts';
import { mostRules } from './quotas.ts';
import {
  actions,
  condition,
  flag,
  list,
  nothing,
  number,
  type Of,
  paged,
  refused,
  required,
  struct,
  tags,
  text,
  texts,
} from './shapes.ts';
import { elbTags, inOrder } from './tagging.ts';

const conditions = list(condition);
const transforms = refused(
  list(struct('RuleTransform', { Type: text })),
  'Requests are sent on with the host and path that they came with.',
);
const rule = struct('Rule', {
  RuleArn: text,
  Priority: text,
  Conditions: conditions,
  Actions: actions,
  IsDefault: flag,
});

/** Rules of listeners of Application Load Balancers. A listener's default rule is the listener's default action, seen as a rule. */
export const ruleOperations: ElbOperations = {
  CreateRule: operation({
    input: struct('CreateRuleInput', {
      ListenerArn: required(text),
      Conditions: required(conditions),
      Priority: required(number),
      Actions: required(actions),
      Tags: tags,
      Transforms: transforms,
    }),
    output: struct('CreateRuleOutput', { Rules: list(rule) }),
    access: mayCreate('CreateRule', ({ ListenerArn }, scene, balancing) => [reference(scene, balancing, ListenerArn)]),
    change: (input, scene, draft) => {
      const listener = find(scene, draft, 'listener', input.ListenerArn);
      const place = placeOf(draft, listener);
      if (place.balancer.type === 'network')
        throw new AwsError('UnsupportedProtocol', 'Rules are not supported for listeners of Network Load Balancers');
      const parsed = {
        conditions: conditionsFor(input.Conditions, patternProblem),
        action: actionFor(scene, draft, place, input.Actions),
        tags: elbTags.parse(input.Tags),
      };
      const { Priority: priority } = input;
      const same = draft.rulesOf(listener.id).find((one) => one.priority === priority);
      if (same !== undefined) {
        if (isSame(same, parsed)) return same;
        throw priorityInUse();
      }
      const count = draft.listenersOf(place.balancer.id).reduce((sum, { id }) => sum + draft.rulesOf(id).length, 0);
      if (count >= mostRules) throw tooMany('TooManyRules', 'rules of a load balancer', mostRules);
      const made: RuleRecord = { id: draft.newId(), listenerId: listener.id, priority, ...parsed };
      draft.put('listener-rule', made);
      return made;
    },
    answer: settledRules,
  }),
  DescribeRules: operation({
    input: struct('DescribeRulesInput', { ListenerArn: text, RuleArns: texts, ...paged }),
    output: struct('DescribeRulesOutput', { Rules: list(rule), NextMarker: text }),
    access: mayList('DescribeRules'),
    read: async (input, scene, balancing) => {
      const { ListenerArn: of, RuleArns: arns = [] } = input;
      const rows = namedOrWithin('listener rule ARNs or a listener ARN', arns, of, {
        named: (some) => [...new Set(some)].map((arn) => rowOf(scene, balancing, arn)),
        all: (within) => allOf(balancing, find(scene, balancing, 'listener', within)),
      });
      const { items, more } = await pageOf(
        scene,
        ['DescribeRules', of, arns],
        input,
        rows,
        // By priority, the default rule last.
        (row) => `${'priority' in row ? String(row.priority).padStart(6, '0') : 'default'} ${row.id}`,
        (row) => viewRow(scene, balancing, row),
      );
      return { Rules: items, ...more };
    },
  }),
  ModifyRule: operation({
    input: struct('ModifyRuleInput', {
      RuleArn: required(text),
      Conditions: conditions,
      Actions: actions,
      Transforms: transforms,
      ResetTransforms: flag,
    }),
    output: struct('ModifyRuleOutput', { Rules: list(rule) }),
    access: mayOn('ModifyRule', ({ RuleArn }) => [RuleArn]),
    change: (input, scene, draft) => {
      const row = rowOf(scene, draft, input.RuleArn);
      if (!('priority' in row)) throw notPermitted(`Default rule '${input.RuleArn}' cannot be modified`);
      const place = placeOf(draft, listenerOf(draft, row));
      const { Conditions: given = [], Actions: asked = [] } = input;
      const after: RuleRecord = {
        ...row,
        ...(given.length === 0 ? {} : { conditions: conditionsFor(given, patternProblem) }),
        ...(asked.length === 0 ? {} : { action: actionFor(scene, draft, place, asked) }),
      };
      draft.put('listener-rule', after);
      return after;
    },
    answer: settledRules,
  }),
  DeleteRule: operation({
    input: struct('DeleteRuleInput', { RuleArn: required(text) }),
    output: nothing,
    access: mayOn('DeleteRule', ({ RuleArn }) => [RuleArn]),
    change: ({ RuleArn }, scene, draft) => {
      const row = rowOf(scene, draft, RuleArn);
      if (!('priority' in row)) throw notPermitted(`Default rule '${RuleArn}' cannot be deleted`);
      draft.remove('listener-rule', row.id);
    },
    answer: settledAnswer,
  }),
  SetRulePriorities: operation({
    input: struct('SetRulePrioritiesInput', {
      RulePriorities: required(list(struct('RulePriorityPair', { RuleArn: text, Priority: number }))),
    }),
    output: struct('SetRulePrioritiesOutput', { Rules: list(rule) }),
    access: mayOn('SetRulePriorities', ({ RulePriorities }) => RulePriorities.map(({ RuleArn = '' }) => RuleArn)),
    change: ({ RulePriorities }, scene, draft) => {
      const asked = someOf(RulePriorities, 'Rule priorities').map(({ RuleArn = '', Priority: priority }) => {
        const row = rowOf(scene, draft, RuleArn);
        if (!('priority' in row)) throw notPermitted(`The priority of the default rule '${RuleArn}' cannot be set`);
        if (priority === undefined) throw validation('A priority must be specified');
        return { ...row, priority };
      });
      if (new Set(asked.map(({ id }) => id)).size < asked.length) throw validation('A rule can be specified only once');
      for (const row of asked) draft.put('listener-rule', row);
      // All at once: two rules may change places.
      for (const listenerId of new Set(asked.map((row) => row.listenerId))) {
        const priorities = draft.rulesOf(listenerId).map(({ priority }) => priority);
        if (new Set(priorities).size < priorities.length) throw priorityInUse();
      }
      return asked;
    },
    answer: settledRules,
  }),
};

const priorityInUse = (): AwsError => new AwsError('PriorityInUse', 'The specified priority is in use.');

/** A rule that has a record, or a listener's default one. */
type Row = RuleRecord | { readonly id: string; readonly defaultOf: ListenerRecord };

/** @throws RuleNotFound */
function rowOf(scene: Scene, balancing: Balancing, arn: string): Row {
  const record = lookUp(scene, balancing, 'listener-rule', arn);
  if (record !== undefined) return record;
  const id = arn.slice(arn.lastIndexOf('/') + 1);
  const holder = balancing.all('listener').find(({ defaultRuleId }) => defaultRuleId === id);
  if (holder === undefined || listenerArn(scene, balancing, holder, id) !== arn) throw notFound('listener-rule');
  return { id, defaultOf: holder };
}

const allOf = (balancing: Balancing, listener: ListenerRecord): readonly Row[] => [
  ...balancing.rulesOf(listener.id),
  { id: listener.defaultRuleId, defaultOf: listener },
];

function listenerOf(balancing: Balancing, { listenerId }: RuleRecord): ListenerRecord {
  const listener = balancing.get('listener', listenerId);
  if (listener === undefined) throw notFound('listener');
  return listener;
}

const isSame = (one: RuleRecord, other: Pick<RuleRecord, 'conditions' | 'action' | 'tags'>): boolean =>
  JSON.stringify([one.conditions, one.action, inOrder(one.tags)]) ===
  JSON.stringify([other.conditions, other.action, inOrder(other.tags)]);

/** Answers with rules once requests are routed by them. */
async function settledRules(made: RuleRecord | readonly RuleRecord[], scene: Scene, balancing: Balancing) {
  await scene.api.traffic.settled(scene.account, balancing.generation);
  return { Rules: [made].flat().map((row) => viewRow(scene, balancing, row as RuleRecord)) };
}

function viewRow(scene: Scene, balancing: Balancing, row: Row): Of<typeof rule> {
  if (!('priority' in row))
    return {
      RuleArn: listenerArn(scene, balancing, row.defaultOf, row.id),
      Priority: 'default',
      Conditions: [],
      Actions: [viewAction(scene, balancing, row.defaultOf.defaultAction)],
      IsDefault: true,
    };
  return {
    RuleArn: listenerArn(scene, balancing, listenerOf(balancing, row), row.id),
    Priority: String(row.priority),
    Conditions: row.conditions.map(viewCondition),
    Actions: [viewAction(scene, balancing, row.action)],
    IsDefault: false,
  };
}
