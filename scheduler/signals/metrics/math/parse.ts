import { MathError } from './errors.ts';
import { arityOf, refusedFunctions } from './names.ts';

/**
 * Reads metric math (CloudWatch User Guide, "Using math expressions with CloudWatch metrics"):
 *
 *     or      = and { ("OR" | "||") and }          and  = compare { ("AND" | "&&") compare }
 *     compare = sum { ("==" | "!=" | "<=" | ">=" | "<" | ">") sum }
 *     sum     = product { ("+" | "-") product }    product = sign { ("*" | "/") sign }
 *     sign    = "-" sign | power                   power = atom [ "^" sign ]
 *     atom    = number | string | id | NAME "(" [ or { "," or } ] ")" | "[" or { "," or } "]" | "(" or ")" | keyword
 */
export type Expression =
  | { readonly kind: 'number'; readonly value: number; readonly at: number }
  | { readonly kind: 'text'; readonly value: string; readonly at: number }
  | { readonly kind: 'word'; readonly value: string; readonly at: number }
  | { readonly kind: 'id'; readonly id: string; readonly at: number }
  | { readonly kind: 'list'; readonly items: readonly Expression[]; readonly at: number }
  | { readonly kind: 'negative'; readonly of: Expression; readonly at: number }
  | {
      readonly kind: 'binary';
      readonly operator: Operator;
      readonly left: Expression;
      readonly right: Expression;
      readonly at: number;
    }
  | { readonly kind: 'call'; readonly name: string; readonly given: readonly Expression[]; readonly at: number };

export type Operator = '+' | '-' | '*' | '/' | '^' | '==' | '!=' | '<' | '<=' | '>' | '>=' | 'AND' | 'OR';

/** How deep brackets, signs and calls may lie in each other: they are read and worked out by recursion. */
const mostDepth = 100;
const mostCharacters = 2048;

/** Words that functions take. */
export const words: readonly string[] = ['REPEAT', 'LINEAR', 'ASC', 'DESC', 'AVG', 'MIN', 'MAX', 'SUM'];

interface Token {
  readonly kind: 'number' | 'text' | 'name' | 'symbol' | 'end';
  readonly text: string;
  readonly at: number;
}

const token =
  /(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|("[^"]*"|'[^']*')|([A-Za-z][A-Za-z0-9_]*)|(==|!=|<=|>=|&&|\|\||[-+*/^<>()[\],])/y;
const kinds = ['number', 'text', 'name', 'symbol'] as const;

function tokensOf(text: string): readonly Token[] {
  const found: Token[] = [];
  for (let at = 0; at < text.length;) {
    const character = text[at] as string;
    if (character.trim() === '') {
      at++;
      continue;
    }
    token.lastIndex = at;
    const match = token.exec(text);
    if (match === null) {
      const isOpen = character === '"' || character === "'";
      throw new MathError(isOpen ? 'a text has no end' : `${JSON.stringify(character)} means nothing here`, at + 1);
    }
    const [all, ...parts] = match;
    found.push({ kind: kinds[parts.findIndex((part) => part !== undefined)] ?? 'symbol', text: all, at: at + 1 });
    at += all.length;
  }
  return [...found, { kind: 'end', text: '', at: text.length + 1 }];
}

/** @throws MathError */
export function parseExpression(text: string): Expression {
  if (text.length > mostCharacters) throw new MathError(`an expression has at most ${mostCharacters} characters`);
  if (/^\s*SELECT\s/i.test(text))
    throw new MathError('Metrics Insights queries are not supported here; name each metric with MetricStat', 1);
  const parser = new Parser(tokensOf(text));
  return parser.whole();
}

/** The ids that an expression names, and whether it asks for all metrics. */
export function usesOf(expression: Expression): { readonly ids: ReadonlySet<string>; readonly all: boolean } {
  const ids = new Set<string>();
  let all = false;
  const look = (one: Expression): void => {
    if (one.kind === 'id') ids.add(one.id);
    else if (one.kind === 'list') one.items.forEach(look);
    else if (one.kind === 'negative') look(one.of);
    else if (one.kind === 'binary') [one.left, one.right].forEach(look);
    else if (one.kind === 'call') {
      if (one.name === 'METRICS') all = true;
      one.given.forEach(look);
    }
  };
  look(expression);
  return { ids, all };
}

/** Operators of one strength, weakest first; each joins from the left. */
const levels: readonly Readonly<Record<string, Operator>>[] = [
  { OR: 'OR', '||': 'OR' },
  { AND: 'AND', '&&': 'AND' },
  { '==': '==', '!=': '!=', '<=': '<=', '>=': '>=', '<': '<', '>': '>' },
  { '+': '+', '-': '-' },
  { '*': '*', '/': '/' },
];

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): Expression {
    const expression = this.#level(0);
    if (this.#token.kind !== 'end') throw this.#unexpected();
    return expression;
  }

  get #token(): Token {
    return this.#tokens[this.#next] as Token;
  }

  #level(strength: number): Expression {
    const operators = levels[strength];
    if (operators === undefined) return this.#sign();
    let left = this.#level(strength + 1);
    for (;;) {
      const { kind, text, at } = this.#token;
      if (kind === 'text' || !Object.hasOwn(operators, text)) return left;
      this.#next++;
      left = { kind: 'binary', operator: operators[text] as Operator, left, right: this.#level(strength + 1), at };
    }
  }

  #sign(): Expression {
    const { at } = this.#token;
    if (!this.#take('-')) return this.#power();
    return this.#deeper(() => ({ kind: 'negative', of: this.#sign(), at }));
  }

  #power(): Expression {
    const left = this.#atom();
    const { at } = this.#token;
    if (!this.#take('^')) return left;
    return this.#deeper(() => ({ kind: 'binary', operator: '^', left, right: this.#sign(), at }));
  }

  #atom(): Expression {
    const { kind, text, at } = this.#token;
    if (kind === 'number') {
      this.#next++;
      return { kind, value: Number(text), at };
    }
    if (kind === 'text') {
      this.#next++;
      return { kind, value: text.slice(1, -1), at };
    }
    if (kind === 'name') return this.#name();
    if (this.#take('(')) {
      const inner = this.#deeper(() => this.#level(0));
      this.#expect(')');
      return inner;
    }
    if (this.#take('[')) return { kind: 'list', items: this.#deeper(() => this.#items(']')), at };
    throw this.#unexpected();
  }

  #name(): Expression {
    const { text, at } = this.#token;
    this.#next++;
    if (!this.#take('(')) {
      if (/^[a-z]/.test(text)) return { kind: 'id', id: text, at };
      if (words.includes(text)) return { kind: 'word', value: text, at };
      throw new MathError(`${text} is no id: ids begin with a small letter`, at);
    }
    const refused = Object.hasOwn(refusedFunctions, text) ? refusedFunctions[text] : undefined;
    if (refused !== undefined) throw new MathError(`${text} is not supported here: ${refused}`, at);
    const arity = arityOf(text);
    if (arity === undefined) throw new MathError(`there is no function ${text}`, at);
    const given = this.#token.text === ')' ? (this.#next++, []) : this.#deeper(() => this.#items(')'));
    if (given.length < arity.least || given.length > arity.most) {
      const wanted = arity.least === arity.most ? `${arity.least}` : `${arity.least} to ${arity.most}`;
      throw new MathError(`${text} takes ${wanted} arguments, not ${given.length}`, at);
    }
    return { kind: 'call', name: text, given, at };
  }

  #items(end: string): Expression[] {
    const items = [this.#level(0)];
    while (this.#take(',')) items.push(this.#level(0));
    this.#expect(end);
    return items;
  }

  #deeper<T>(read: () => T): T {
    if (++this.#depth > mostDepth) throw new MathError('brackets lie too deep in each other', this.#token.at);
    const found = read();
    this.#depth--;
    return found;
  }

  #take(symbol: string): boolean {
    const { kind, text } = this.#token;
    if (kind !== 'symbol' || text !== symbol) return false;
    this.#next++;
    return true;
  }

  #expect(symbol: string): void {
    if (!this.#take(symbol)) throw this.#unexpected(` where ${symbol} should stand`);
  }

  #unexpected(where = ''): MathError {
    const { kind, text, at } = this.#token;
    return new MathError(
      kind === 'end' ? `the expression ends${where || ' too early'}` : `unexpected ${text}${where}`,
      at,
    );
  }
}
