/**
 * A second evaluator, written from the specification alone and as plainly as it can be: it reads the JSON of the documents
 * each time, knows no compiled form, no cache and no index, and shares no code with the real one. Tests compare the two.
 */

export interface ReferenceCaller {
  readonly type: 'root' | 'user' | 'assumed-role' | 'federated-user' | 'service' | 'anonymous';
  readonly account: string;
  readonly arn: string;
  readonly id: string;
  /** Role of a session, user of a federated user. */
  readonly issuerArn?: string;
  readonly issuerId?: string;
}

export interface ReferenceInput {
  readonly caller: ReferenceCaller;
  readonly action: string;
  readonly resource: string;
  readonly resourceAccount: string;
  readonly identity: readonly string[];
  readonly boundary: string | undefined;
  readonly session: readonly string[] | undefined;
  readonly resourcePolicy: string | undefined;
  readonly restrictions: readonly string[];
  readonly trust: boolean;
  /** The resource's policy must allow it, as a key's. */
  readonly policyDecides: boolean;
  readonly open: boolean;
  readonly context: Readonly<Record<string, string | readonly string[]>>;
}

type Outcome = 'allowed' | 'explicitDeny' | 'implicitDeny';
type Raw = Record<string, unknown>;
type OneOrMore = string | readonly string[];

const list = (value: unknown): string[] =>
  value === undefined ? [] : Array.isArray(value) ? value.map(String) : [`${value as string | number}`];

/** Whether a text matches a pattern of tokens, by a table of all prefixes. */
function table(tokens: readonly string[], text: string): boolean {
  let row = Array.from({ length: text.length + 1 }, (_, index) => index === 0);
  for (const token of tokens) {
    const next: boolean[] = [];
    for (let index = 0; index <= text.length; index++) {
      if (token === '*') next.push((row[index] ?? false) || (index > 0 && (next[index - 1] ?? false)));
      else next.push(index > 0 && (row[index - 1] ?? false) && (token === '?' || token === `=${text[index - 1]}`));
    }
    // No beginning of the text matches so far, so the whole never will.
    if (!next.includes(true)) return false;
    row = next;
  }
  return row[text.length] ?? false;
}

/** Tokens of a pattern: `*`, `?`, or `=` and a character. Undefined: a variable has no value. */
function tokenize(
  pattern: string,
  wildcards: boolean,
  variables: boolean,
  context: ReferenceInput['context'],
): string[] | undefined {
  const tokens: string[] = [];
  let index = 0;
  while (index < pattern.length) {
    const character = pattern.charAt(index);
    if (variables && pattern.startsWith('${', index)) {
      const end = pattern.indexOf('}', index);
      const name = pattern.slice(index + 2, end);
      index = end + 1;
      if (name === '*' || name === '?' || name === '$') tokens.push(`=${name}`);
      else {
        const comma = name.indexOf(',');
        const key = (comma === -1 ? name : name.slice(0, comma)).trim();
        const fallback =
          comma === -1
            ? undefined
            : name
                .slice(comma + 1)
                .trim()
                .slice(1, -1);
        const value = valueOf(context, key);
        const text = typeof value === 'string' ? value : fallback;
        if (text === undefined) return undefined;
        for (let at = 0; at < text.length; at++) tokens.push(`=${text[at]}`);
      }
      continue;
    }
    tokens.push(wildcards && (character === '*' || character === '?') ? character : `=${character}`);
    index++;
  }
  return tokens;
}

function valueOf(context: ReferenceInput['context'], key: string): OneOrMore | undefined {
  for (const name of Object.keys(context)) if (name.toLowerCase() === key.toLowerCase()) return context[name];
  return undefined;
}

/** Splits tokens at the first five colons that were written in the pattern itself. */
function parts(tokens: readonly string[], count = 6): string[][] {
  const result: string[][] = [[]];
  for (const token of tokens) {
    if (token === '=:' && result.length < count) result.push([]);
    else result.at(-1)?.push(token);
  }
  return result;
}

const textParts = (arn: string): string[] => {
  const all = arn.split(':');
  return all.length < 6 ? [] : [...all.slice(0, 5), all.slice(5).join(':')];
};

/** ArnLike: six parts, one by one. */
function arnLike(tokens: readonly string[], arn: string): boolean {
  if (tokens.length === 1 && tokens[0] === '*') return true;
  const pattern = parts(tokens);
  const text = textParts(arn);
  return (
    pattern.length === 6 && text.length === 6 && pattern.every((part, index) => table(part, text[index] as string))
  );
}

/** The Resource element: a `*` that ends region or account reaches on to the end. */
function resourceMatches(tokens: readonly string[], arn: string): boolean {
  if (tokens.length === 1 && tokens[0] === '*') return true;
  const pattern = parts(tokens);
  const text = textParts(arn);
  if (text.length !== 6) return false;
  for (const index of [3, 4]) {
    if (pattern[index]?.at(-1) !== '*') continue;
    const before = pattern.slice(0, index).every((part, at) => table(part, text[at] as string));
    return before && table(parts(tokens, index + 1)[index] as string[], text.slice(index).join(':'));
  }
  return pattern.length === 6 && pattern.every((part, index) => table(part, text[index] as string));
}

function ipNumber(text: string): number | undefined {
  const bytes = text.split('.').map(Number);
  if (bytes.length !== 4 || bytes.some((byte) => !(byte >= 0 && byte <= 255))) return undefined;
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

function inRange(address: string, range: string): boolean {
  const [base = '', bits = '32'] = range.split('/');
  const [from, at] = [ipNumber(base), ipNumber(address)];
  if (from === undefined || at === undefined) return false;
  const size = 2 ** (32 - Number(bits));
  return Math.floor(from / size) === Math.floor(at / size);
}

const dateOf = (text: string): number =>
  /^\d+$/.test(text) && text.length !== 4 ? Number(text) * 1000 : Date.parse(text);

function compare(
  operator: string,
  value: string,
  wanted: string,
  variables: boolean,
  context: ReferenceInput['context'],
): boolean {
  const ordered = (left: number, right: number): boolean => {
    if (Number.isNaN(left) || Number.isNaN(right)) return false;
    if (operator.endsWith('LessThanEquals')) return left <= right;
    if (operator.endsWith('LessThan')) return left < right;
    if (operator.endsWith('GreaterThanEquals')) return left >= right;
    if (operator.endsWith('GreaterThan')) return left > right;
    return left === right;
  };
  if (operator.startsWith('Numeric')) return ordered(value === '' ? Number.NaN : Number(value), Number(wanted));
  if (operator.startsWith('Date')) return ordered(dateOf(value), dateOf(wanted));
  if (operator === 'Bool') return value.toLowerCase() === wanted.toLowerCase();
  if (operator === 'BinaryEquals') return value === wanted;
  if (operator === 'IpAddress') return inRange(value, wanted);
  const wild = operator === 'StringLike' || operator.startsWith('Arn');
  const tokens = tokenize(wanted, wild, variables, context);
  if (tokens === undefined) return false;
  if (operator.startsWith('Arn')) return arnLike(tokens, value);
  if (operator === 'StringEqualsIgnoreCase') {
    return table(
      tokens.map((token) => token.toLowerCase()),
      value.toLowerCase(),
    );
  }
  return table(tokens, value);
}

function conditionHolds(
  name: string,
  key: string,
  wanted: OneOrMore,
  variables: boolean,
  context: ReferenceInput['context'],
): boolean {
  const values = list(wanted);
  const found = valueOf(context, key);
  const absent = found === undefined || (typeof found !== 'string' && found.length === 0);
  if (name === 'Null') return values.some((value) => (value.toLowerCase() === 'true') === absent);
  const [quantifier, rest] = name.includes(':') ? (name.split(':') as [string, string]) : ['', name];
  const ifExists = rest.endsWith('IfExists');
  const plain = ifExists ? rest.slice(0, -'IfExists'.length) : rest;
  const negated = plain.includes('Not');
  const positive = plain.replace('Not', '');
  if (absent) {
    if (ifExists || quantifier === 'ForAllValues') return true;
    return quantifier === '' && negated;
  }
  const any = (value: string): boolean => values.some((each) => compare(positive, value, each, variables, context));
  const given = list(found);
  if (quantifier === 'ForAllValues') return given.every((value) => any(value) !== negated);
  if (quantifier === 'ForAnyValue') return given.some((value) => any(value) !== negated);
  return negated ? !given.some(any) : given.some(any);
}

type Grade = 'none' | 'account' | 'issuer' | 'self';

/** How a Principal element names the caller. */
function principalGrade(element: unknown, caller: ReferenceCaller): Grade {
  if (element === '*') return 'self';
  let best: Grade = 'none';
  const rank: Grade[] = ['none', 'account', 'issuer', 'self'];
  const better = (grade: Grade): void => {
    if (rank.indexOf(grade) > rank.indexOf(best)) best = grade;
  };
  const object = element as Raw;
  for (const name of list(object['AWS'])) {
    if (name === '*') better('self');
    if (caller.account !== '' && (name === caller.account || name === `arn:aws:iam::${caller.account}:root`)) {
      better(caller.type === 'root' ? 'self' : 'account');
    }
    if (name === caller.arn || name === caller.id) better('self');
    else if (name === caller.issuerArn || name === caller.issuerId) better('issuer');
  }
  for (const name of list(object['Service'])) {
    if (caller.type === 'service' && (name === '*' || name === caller.arn)) better('self');
  }
  return best;
}

/** NotPrincipal spares a caller only when everything it is stands in the list. */
function isSpared(element: unknown, caller: ReferenceCaller): boolean {
  if (element === '*') return true;
  const names = list((element as Raw)['AWS']);
  const services = list((element as Raw)['Service']);
  if (names.includes('*')) return true;
  if (caller.type === 'service') return services.includes('*') || services.includes(caller.arn);
  const root = names.includes(caller.account) || names.includes(`arn:aws:iam::${caller.account}:root`);
  if (caller.type === 'root') return root;
  const self = names.includes(caller.arn) || names.includes(caller.id);
  const issuer =
    caller.issuerArn === undefined || names.includes(caller.issuerArn) || names.includes(caller.issuerId ?? '');
  return self && issuer && root && caller.account !== '';
}

/** How a statement concerns the request: `none` when it does not. */
function concerns(statement: Raw, version: string, input: ReferenceInput): Grade {
  const { caller, action, resource, context } = input;
  const variables = version === '2012-10-17';
  const actionIs = (pattern: string): boolean =>
    table(tokenize(pattern.toLowerCase(), true, false, context) as string[], action.toLowerCase());
  if ('Action' in statement && !list(statement['Action']).some(actionIs)) return 'none';
  if ('NotAction' in statement && list(statement['NotAction']).some(actionIs)) return 'none';
  const patterns = (element: unknown) => list(element).map((each) => tokenize(each, true, variables, context));
  const hits = (tokens: string[] | undefined): boolean => tokens !== undefined && resourceMatches(tokens, resource);
  if ('Resource' in statement && !patterns(statement['Resource']).some(hits)) return 'none';
  if ('NotResource' in statement) {
    const excluded = patterns(statement['NotResource']);
    if (excluded.some(hits)) return 'none';
    if (statement['Effect'] === 'Allow' && excluded.includes(undefined)) return 'none';
  }
  for (const [operator, block] of Object.entries((statement['Condition'] ?? {}) as Raw)) {
    for (const [key, wanted] of Object.entries(block as Raw)) {
      if (!conditionHolds(operator, key, wanted as OneOrMore, variables, context)) return 'none';
    }
  }
  if ('Principal' in statement && caller.type === 'anonymous' && statement['Effect'] === 'Allow') return 'none';
  if ('Principal' in statement) return principalGrade(statement['Principal'], caller);
  if ('NotPrincipal' in statement) return isSpared(statement['NotPrincipal'], caller) ? 'none' : 'self';
  return 'self';
}

function grades(text: string, effect: string, input: ReferenceInput): Grade[] {
  const document = JSON.parse(text) as Raw;
  const statements = (Array.isArray(document['Statement']) ? document['Statement'] : [document['Statement']]) as Raw[];
  return statements
    .filter((statement) => statement['Effect'] === effect)
    .map((statement) => concerns(statement, (document['Version'] as string) ?? '2008-10-17', input))
    .filter((grade) => grade !== 'none');
}

/** The decision, step by step as the specification words it. */
export function referenceDecision(input: ReferenceInput): Outcome {
  const { caller } = input;
  const every = [
    ...input.identity,
    ...(input.boundary === undefined ? [] : [input.boundary]),
    ...(input.session ?? []),
    ...(input.resourcePolicy === undefined ? [] : [input.resourcePolicy]),
    ...input.restrictions,
  ];
  if (every.some((text) => grades(text, 'Deny', input).length > 0)) return 'explicitDeny';
  const allows = (text: string): boolean => grades(text, 'Allow', input).length > 0;
  if (!input.restrictions.every(allows)) return 'implicitDeny';
  if (input.open) return 'allowed';
  const byResource = input.resourcePolicy === undefined ? [] : grades(input.resourcePolicy, 'Allow', input);
  const sameAccount = caller.account !== '' && caller.account === input.resourceAccount;

  // Nobody, and services, have no policies of their own.
  if (caller.account === '') return byResource.length > 0 ? 'allowed' : 'implicitDeny';
  if (sameAccount && byResource.includes('self')) return 'allowed';
  if (!sameAccount && byResource.length === 0) return 'implicitDeny';
  if ((input.trust || input.policyDecides) && byResource.length === 0) return 'implicitDeny';
  if (caller.type === 'root') {
    if (byResource.length > 0) return 'allowed';
    return sameAccount && !input.trust && !input.policyDecides ? 'allowed' : 'implicitDeny';
  }
  const byIdentity = input.identity.some(allows);
  if (!byIdentity && !(sameAccount && byResource.includes('issuer'))) return 'implicitDeny';
  if (input.boundary !== undefined && !allows(input.boundary)) return 'implicitDeny';
  if (input.session !== undefined && !input.session.some(allows)) return 'implicitDeny';
  if (caller.type === 'federated-user' && input.session === undefined) return 'implicitDeny';
  return 'allowed';
}
