/**
 * The cluster query language: the syntax. Grammar after the "Cluster query language" page of the ECS developer guide.
 * Where the page is silent: `and` binds tighter than `or`, and keywords are case-sensitive.
 */
import { ClusterQueryError } from './errors.ts';
import { compilePattern, PatternError } from './pattern.ts';

export type Operator = '==' | '!=' | '>' | '>=' | '<' | '<=' | 'exists' | '!exists' | 'in' | '!in' | '=~' | '!~';

const plainSubjects = [
  'agentConnected',
  'agentVersion',
  'ec2InstanceId',
  'registeredAt',
  'runningTasksCount',
  'task:group',
] as const;

export type Subject =
  | { readonly kind: (typeof plainSubjects)[number] }
  | { readonly kind: 'attribute'; readonly name: string };

/** A simple expression. `values` holds the argument: none for `exists`, one or more for `in`, otherwise one. */
export interface QueryTest {
  readonly kind: 'test';
  readonly subject: Subject;
  readonly operator: Operator;
  readonly values: readonly string[];
  /** The compiled argument of `=~` and `!~`; it must match the whole value. */
  readonly pattern?: (text: string) => boolean;
}

export type ClusterQuery =
  | { readonly kind: 'and' | 'or'; readonly terms: readonly ClusterQuery[] }
  | { readonly kind: 'not'; readonly term: ClusterQuery }
  | QueryTest;

/** ECS takes expressions of up to this many characters. */
const maximumLength = 2000;
/** Deeper nesting than any person writes; it bounds the recursion of the parser. */
const maximumDepth = 200;

const equality: readonly Operator[] = ['==', '!=', 'in', '!in', '=~', '!~'];
const relational: readonly Operator[] = ['==', '!=', '>', '>=', '<', '<='];
const every: readonly Operator[] = [...new Set([...equality, ...relational, 'exists', '!exists'] as const)];

const allowed: Readonly<Record<Subject['kind'], readonly Operator[]>> = {
  agentConnected: equality,
  ec2InstanceId: equality,
  agentVersion: relational,
  registeredAt: relational,
  runningTasksCount: relational,
  'task:group': every,
  attribute: every,
};

const operatorWords = new Map<string, Operator>([
  ['equals', '=='],
  ['not_equals', '!='],
  ['greater_than', '>'],
  ['greater_than_equal', '>='],
  ['less_than', '<'],
  ['less_than_equal', '<='],
  ['exists', 'exists'],
  ['!exists', '!exists'],
  ['not_exists', '!exists'],
  ['in', 'in'],
  ['!in', '!in'],
  ['not_in', '!in'],
  ['matches', '=~'],
  ['not_matches', '!~'],
]);
const operatorSigns: readonly Operator[] = ['==', '!=', '>=', '<=', '=~', '!~', '>', '<'];

/** Milliseconds since the epoch of a `registeredAt` literal; without a zone it is UTC. Undefined when it is no date. */
export function parseQueryDate(text: string): number | undefined {
  const match =
    /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(Z|[+-]\d{2}:?\d{2})?)?$/.exec(text) ?? undefined;
  if (match === undefined) return undefined;
  const zone = (match[3] ?? 'Z').replace(/^([+-]\d{2})(\d{2})$/, '$1:$2');
  const time = Date.parse(`${match[1]}T${match[2] ?? '00:00:00'}${zone}`);
  return Number.isNaN(time) ? undefined : time;
}

/**
 * Parses an expression of the cluster query language. Throws `ClusterQueryError`, which points at the character,
 * for one that is empty, longer than 2000 characters, or wrong.
 */
export function parseClusterQuery(text: string): ClusterQuery {
  return new QueryParser(text).parse();
}

class QueryParser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): ClusterQuery {
    if (this.#text.length > maximumLength) {
      throw this.#error(`an expression has at most ${maximumLength} characters`, maximumLength);
    }
    const query = this.#or();
    this.#space();
    if (this.#at < this.#text.length) {
      throw this.#error(`expected "and", "or" or the end, found "${this.#rest()}"`);
    }
    return query;
  }

  #or(): ClusterQuery {
    return this.#chain('or', '||', () => this.#chain('and', '&&', () => this.#unary()));
  }

  #chain(word: 'and' | 'or', sign: string, operand: () => ClusterQuery): ClusterQuery {
    const terms = [operand()];
    while (this.#keyword(word) || this.#sign(sign)) terms.push(operand());
    return terms.length === 1 ? terms[0]! : { kind: word, terms };
  }

  #unary(): ClusterQuery {
    this.#space();
    if (++this.#depth > maximumDepth) throw this.#error(`expressions nest at most ${maximumDepth} deep`);
    try {
      if (this.#keyword('not') || this.#sign('!')) return { kind: 'not', term: this.#unary() };
      const open = this.#at;
      if (!this.#sign('(')) return this.#test();
      const query = this.#or();
      if (!this.#sign(')')) throw this.#error(`expected ")" for the "(" at character ${open + 1}`);
      return query;
    } finally {
      this.#depth--;
    }
  }

  #test(): QueryTest {
    const subject = this.#subject();
    const operator = this.#operator(subject);
    if (operator === 'exists' || operator === '!exists') return { kind: 'test', subject, operator, values: [] };
    if (operator === 'in' || operator === '!in')
      return { kind: 'test', subject, operator, values: this.#list(subject) };
    const isPattern = operator === '=~' || operator === '!~';
    this.#space();
    const start = this.#at;
    const value = this.#literal(isPattern);
    this.#check(subject, isPattern ? undefined : value, start);
    if (!isPattern) return { kind: 'test', subject, operator, values: [value] };
    return { kind: 'test', subject, operator, values: [value], pattern: this.#pattern(value, start) };
  }

  #subject(): Subject {
    this.#space();
    const start = this.#at;
    const word = /^[\w:.\\/-]*/.exec(this.#text.slice(start))![0];
    this.#at += word.length;
    if (word.startsWith('attribute:')) {
      if (word.length === 'attribute:'.length) throw this.#error('expected the name of an attribute');
      return { kind: 'attribute', name: word.slice('attribute:'.length) };
    }
    const kind = plainSubjects.find((name) => name === word);
    if (kind !== undefined) return { kind };
    this.#at = start;
    const found = word === '' ? this.#rest() : word;
    throw this.#error(
      `expected a subject (attribute:NAME, ${plainSubjects.join(', ')}), found ${found === '' ? 'the end' : `"${found}"`}`,
    );
  }

  #operator(subject: Subject): Operator {
    this.#space();
    const start = this.#at;
    const rest = this.#text.slice(start);
    const word = /^!?[a-z_]+/.exec(rest)?.[0] ?? '';
    const sign = operatorSigns.find((candidate) => rest.startsWith(candidate));
    const operator = operatorWords.get(word) ?? sign;
    const name = subject.kind === 'attribute' ? `attribute:${subject.name}` : subject.kind;
    if (operator === undefined) {
      throw this.#error(`expected an operator after "${name}", found ${rest === '' ? 'the end' : `"${this.#rest()}"`}`);
    }
    if (!allowed[subject.kind].includes(operator)) {
      throw this.#error(`"${name}" takes ${allowed[subject.kind].join(' ')}, not ${operator}`);
    }
    this.#at += operatorWords.has(word) ? word.length : operator.length;
    return operator;
  }

  #list(subject: Subject): readonly string[] {
    if (!this.#sign('[')) throw this.#error('expected "[" and a list of values');
    const values: string[] = [];
    do {
      this.#space();
      const start = this.#at;
      const value = this.#literal(false);
      this.#check(subject, value, start);
      values.push(value);
    } while (this.#sign(','));
    if (!this.#sign(']')) throw this.#error('expected "," or "]" in the list');
    return values;
  }

  /** A quoted text, or a bare word. The bare word of a pattern may also hold brackets and commas. */
  #literal(isPattern: boolean): string {
    const quote = this.#text[this.#at];
    if (quote === "'" || quote === '"') {
      const end = this.#text.indexOf(quote, this.#at + 1);
      if (end === -1) throw this.#error('the quoted text is never closed');
      const value = this.#text.slice(this.#at + 1, end);
      this.#at = end + 1;
      return value;
    }
    const word = (isPattern ? /^[^\s()'"]+/ : /^[^\s()[\],'"=<>!&|]+/).exec(this.#text.slice(this.#at))?.[0];
    if (word === undefined) {
      const found = this.#rest();
      throw this.#error(`expected a value, found ${found === '' ? 'the end' : `"${found}"`}`);
    }
    this.#at += word.length;
    return word;
  }

  #check(subject: Subject, value: string | undefined, start: number): void {
    if (value === undefined) return;
    if (subject.kind === 'runningTasksCount' && !/^\d{1,9}$/.test(value)) {
      throw this.#error(`runningTasksCount is compared with a whole number, not "${value}"`, start);
    }
    if (subject.kind === 'registeredAt' && parseQueryDate(value) === undefined) {
      throw this.#error(`registeredAt is compared with a date such as 2026-02-13 or 2026-02-13T22:28:28Z`, start);
    }
    if (subject.kind === 'agentVersion' && !/^\d{1,9}(\.\d{1,9})*$/.test(value)) {
      throw this.#error(`agentVersion is compared with a version such as 1.14.5, not "${value}"`, start);
    }
    if (subject.kind === 'agentConnected' && value !== 'true' && value !== 'false') {
      throw this.#error(`agentConnected is compared with true or false, not "${value}"`, start);
    }
  }

  #pattern(source: string, start: number): (text: string) => boolean {
    try {
      return compilePattern(source);
    } catch (cause) {
      if (!(cause instanceof PatternError)) throw cause;
      const quoted = this.#text[start] === "'" || this.#text[start] === '"' ? 1 : 0;
      throw this.#error(`in the pattern: ${cause.message}`, start + quoted + cause.position);
    }
  }

  #space(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++;
  }

  #sign(sign: string): boolean {
    this.#space();
    if (!this.#text.startsWith(sign, this.#at)) return false;
    this.#at += sign.length;
    return true;
  }

  #keyword(word: string): boolean {
    this.#space();
    if (!this.#text.startsWith(word, this.#at) || /[\w:.-]/.test(this.#text[this.#at + word.length] ?? ''))
      return false;
    this.#at += word.length;
    return true;
  }

  /** What stands at the current position, up to the next space, shortened for a message. */
  #rest(): string {
    return /^\S*/.exec(this.#text.slice(this.#at))![0].slice(0, 40);
  }

  #error(problem: string, position = this.#at): ClusterQueryError {
    return new ClusterQueryError(this.#text, position, problem);
  }
}
