/** The cluster query language: the meaning. One evaluation serves placement (as bitsets) and `ListContainerInstances`. */
import { type ClusterQuery, parseClusterQuery, parseQueryDate, type QueryTest } from './query-parser.ts';

/** What an expression can ask about an instance. */
export interface InstanceView {
  readonly agentConnected: boolean;
  readonly agentVersion?: string;
  readonly ec2InstanceId?: string;
  /** Milliseconds since the epoch. */
  readonly registeredAt?: number;
  /** Tasks with desired status RUNNING. */
  readonly runningTasksCount: number;
  readonly attributes: ReadonlyMap<string, string>;
  /** The groups of the tasks with desired status RUNNING. */
  readonly taskGroups: Iterable<string>;
}

/** An expression as a filter over instances. Throws `ClusterQueryError`. */
export function compileQuery(expression: string): (instance: InstanceView) => boolean {
  return predicateOf(parseClusterQuery(expression));
}

function predicateOf(query: ClusterQuery): (instance: InstanceView) => boolean {
  if (query.kind === 'test') return testInstance(query);
  if (query.kind === 'not') {
    const inner = predicateOf(query.term);
    return (instance) => !inner(instance);
  }
  const terms = query.terms.map(predicateOf);
  return query.kind === 'and'
    ? (instance) => terms.every((term) => term(instance))
    : (instance) => terms.some((term) => term(instance));
}

function testInstance(test: QueryTest): (instance: InstanceView) => boolean {
  const { subject } = test;
  const holds = testValue(test);
  switch (subject.kind) {
    case 'attribute':
      return (instance) => holds(instance.attributes.get(subject.name));
    case 'agentConnected':
      return (instance) => holds(String(instance.agentConnected));
    case 'runningTasksCount':
      return (instance) => holds(instance.runningTasksCount);
    case 'registeredAt':
    case 'agentVersion':
    case 'ec2InstanceId': {
      const { kind } = subject;
      return (instance) => holds(instance[kind]);
    }
    case 'task:group':
      return testGroups(test);
  }
}

/**
 * A simple expression as a test of one value; undefined is a value the instance does not have, which only `!exists`
 * accepts: `attribute:stack != prod` asks for instances that have `stack` with another value, as the ECS page words it.
 */
export function testValue(test: QueryTest): (value: string | number | undefined) => boolean {
  const { operator, values, pattern } = test;
  if (operator === 'exists') return (value) => value !== undefined;
  if (operator === '!exists') return (value) => value === undefined;
  if (operator === '=~') return (value) => value !== undefined && pattern!(String(value));
  if (operator === '!~') return (value) => value !== undefined && !pattern!(String(value));
  const order = orderOf(test);
  if (operator === 'in') return (value) => value !== undefined && values.some((other) => order(value, other) === 0);
  if (operator === '!in') return (value) => value !== undefined && values.every((other) => order(value, other) !== 0);
  const argument = values[0]!;
  const accepts = comparisons[operator];
  return (value) => value !== undefined && accepts(order(value, argument));
}

/**
 * `task:group` has many values. `==`, `in`, `=~` and comparisons hold when one of the instance's tasks satisfies them;
 * the negated operators hold when none satisfies the positive one, so `task:group != database` keeps away from it.
 */
export function testGroups(test: QueryTest): (instance: Pick<InstanceView, 'taskGroups'>) => boolean {
  const positive = positives[test.operator];
  const holds = testValue({ ...test, operator: positive ?? test.operator });
  return (instance) => {
    for (const group of instance.taskGroups) if (holds(group)) return positive === undefined;
    return positive !== undefined;
  };
}

const positives: Readonly<Partial<Record<QueryTest['operator'], QueryTest['operator']>>> = {
  '!=': '==',
  '!in': 'in',
  '!~': '=~',
  '!exists': 'exists',
};

const comparisons: Readonly<Record<'==' | '!=' | '>' | '>=' | '<' | '<=', (order: number) => boolean>> = {
  '==': (order) => order === 0,
  '!=': (order) => order < 0 || order > 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
};

type Order = (value: string | number, argument: string) => number;

function orderOf({ subject, operator }: QueryTest): Order {
  switch (subject.kind) {
    case 'runningTasksCount':
      return (value, argument) => Number(value) - Number(argument);
    case 'registeredAt':
      return (value, argument) => Number(value) - (parseQueryDate(argument) ?? Number.NaN);
    case 'agentVersion':
      return (value, argument) => compareVersions(String(value), argument);
    case 'agentConnected':
    case 'ec2InstanceId':
    case 'task:group':
      return compareText;
    case 'attribute':
      return '<>'.includes(operator[0]!) ? compareAttribute : compareText;
  }
}

const compareText: Order = (value, argument) => (value === argument ? 0 : String(value) < argument ? -1 : 1);

/** AWS does not document `>` and `<` on attributes: numbers compare as numbers, anything else as text. */
const compareAttribute: Order = (value, argument) => {
  const number = /^-?\d+(\.\d+)?$/;
  if (!number.test(String(value)) || !number.test(argument)) return compareText(value, argument);
  return Number(value) - Number(argument);
};

/** Part by part as numbers; a missing part is 0, and a version that is not numeric satisfies no comparison. */
function compareVersions(value: string, argument: string): number {
  const left = value.replace(/^v/, '').split('.').map(Number);
  const right = argument.split('.').map(Number);
  for (let part = 0; part < Math.max(left.length, right.length); part++) {
    const difference = (left[part] ?? 0) - (right[part] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
