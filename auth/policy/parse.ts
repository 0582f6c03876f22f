import { splitPattern } from './arn.ts';
import type {
  ConditionElement,
  Element,
  PolicyDocument,
  PolicyKind,
  PolicyVersion,
  PrincipalElement,
  Statement,
} from './document.ts';
import { MalformedPolicy, type PolicyPlace } from './errors.ts';
import { type JsonMember, type JsonNode, type JsonObject, placeOf, readJson } from './json.ts';
import { operators } from './operators.ts';
import { anyRun, type Piece, readPattern } from './pattern.ts';
import { readPrincipal } from './principal.ts';

/** Far above every quota of IAM and ECR (the largest is 10,240); keeps the work for hostile input small. */
const maxLength = 65_536;

const statementMembers = new Set([
  'Sid',
  'Effect',
  'Principal',
  'NotPrincipal',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
]);

const principalKinds = new Set(['AWS', 'Service', 'Federated', 'CanonicalUser']);

/**
 * Reads a policy document and checks all of its grammar, so that nothing in it can be misunderstood or skipped later:
 * unknown members, operators, versions and value forms are errors, never ignored (IAM user guide, "Grammar of the IAM
 * JSON policy language").
 * @throws MalformedPolicy naming the member and its line and column
 */
export function parsePolicy(text: string, kind: PolicyKind): PolicyDocument {
  if (text.length > maxLength) {
    throw new MalformedPolicy(`The policy is longer than ${maxLength} characters`, { path: '', line: 1, column: 1 });
  }
  return new Parser(text, kind).document(readJson(text));
}

/** The size IAM and ECR count against their quotas: characters without white space. */
export function policySize(text: string): number {
  return text.replace(/\s+/g, '').length;
}

class Parser {
  readonly #text: string;
  readonly #kind: PolicyKind;
  #variables = false;

  constructor(text: string, kind: PolicyKind) {
    this.#text = text;
    this.#kind = kind;
  }

  document(node: JsonNode): PolicyDocument {
    const root = this.#object(node, '', 'Syntax errors in policy: a policy is a JSON object');
    let version: PolicyVersion = '2008-10-17';
    let id: string | undefined;
    let statements: JsonNode | undefined;
    for (const member of root.members) {
      if (member.key === 'Version') version = this.#version(member);
      else if (member.key === 'Id') {
        if (this.#kind === 'identity') this.#fail('Policy document should not specify an Id', member, 'Id');
        id = this.#string(member.value, 'Id');
      } else if (member.key === 'Statement') statements = member.value;
      else this.#fail(`Syntax errors in policy: unknown member "${member.key}"`, member, member.key);
    }
    if (statements === undefined) this.#fail('Syntax errors in policy: missing required field Statement', root, '');
    this.#variables = version === '2012-10-17';
    const nodes = statements.kind === 'array' ? statements.items : [statements];
    if (nodes.length === 0)
      this.#fail('Syntax errors in policy: a policy needs at least one statement', statements, 'Statement');
    const parsed = nodes.map((item, index) =>
      this.#statement(item, index, statements.kind === 'array' ? `Statement[${index}]` : 'Statement'),
    );
    return { kind: this.#kind, version, ...(id === undefined ? {} : { id }), statements: parsed, text: this.#text };
  }

  #fail(problem: string, at: { readonly start: number }, path: string): never {
    throw new MalformedPolicy(problem, this.#place(at.start, path));
  }

  #place(offset: number, path: string): PolicyPlace {
    return { path, ...placeOf(this.#text, offset) };
  }

  #object(node: JsonNode, path: string, problem: string): JsonObject {
    if (node.kind !== 'object') this.#fail(problem, node, path);
    return node;
  }

  #string(node: JsonNode, path: string): string {
    if (node.kind !== 'string') this.#fail('Syntax errors in policy: a string is expected', node, path);
    return node.text;
  }

  /** A string or a list of at least one string, each with its place. */
  #strings(node: JsonNode, path: string): { text: string; start: number; path: string }[] {
    if (node.kind !== 'array') return [{ text: this.#string(node, path), start: node.start, path }];
    if (node.items.length === 0) this.#fail('Syntax errors in policy: the list is empty', node, path);
    return node.items.map((item, index) => {
      const at = `${path}[${index}]`;
      return { text: this.#string(item, at), start: item.start, path: at };
    });
  }

  #version(member: JsonMember): PolicyVersion {
    const version = this.#string(member.value, 'Version');
    if (version !== '2012-10-17' && version !== '2008-10-17') {
      this.#fail(`The policy version "${version}" is not known: use 2012-10-17`, member.value, 'Version');
    }
    return version;
  }

  #statement(node: JsonNode, index: number, path: string): Statement {
    const object = this.#object(node, path, 'Syntax errors in policy: a statement is a JSON object');
    const members = new Map<string, JsonMember>();
    for (const member of object.members) {
      if (!statementMembers.has(member.key)) {
        this.#fail(`Syntax errors in policy: unknown member "${member.key}"`, member, `${path}.${member.key}`);
      }
      members.set(member.key, member);
    }
    const sid = this.#sid(members.get('Sid'), path);
    const effect = this.#effect(members.get('Effect'), object, path);
    const principal = this.#principal(members, object, path, effect);
    const actionMember = this.#either(members, 'Action', 'NotAction', object, path);
    if (actionMember === undefined) this.#fail('Policy statement must contain actions', object, path);
    const resource = this.#resources(members, object, path);
    const condition = members.get('Condition');
    return {
      index,
      effect,
      action: this.#actions(actionMember, `${path}.${actionMember.key}`),
      conditions: condition === undefined ? [] : this.#conditions(condition, `${path}.Condition`),
      start: object.start,
      end: object.end,
      ...(sid === undefined ? {} : { sid }),
      ...(principal === undefined ? {} : { principal }),
      ...(resource === undefined ? {} : { resource }),
    };
  }

  readonly #sids = new Set<string>();

  #sid(member: JsonMember | undefined, path: string): string | undefined {
    if (member === undefined) return undefined;
    const sid = this.#string(member.value, `${path}.Sid`);
    // ECR and other resource policies allow spaces and more in a Sid, and one Sid for several statements; IAM's own are strict.
    if (this.#kind === 'identity' && !/^[A-Za-z0-9]*$/.test(sid)) {
      this.#fail('Statement IDs (SID) must be alpha-numeric', member.value, `${path}.Sid`);
    }
    if (this.#kind !== 'resource' && sid !== '' && this.#sids.has(sid)) {
      this.#fail(`Statement IDs (SID) in a single policy must be unique: "${sid}"`, member.value, `${path}.Sid`);
    }
    this.#sids.add(sid);
    return sid;
  }

  #effect(member: JsonMember | undefined, statement: JsonObject, path: string): 'Allow' | 'Deny' {
    if (member === undefined) this.#fail('Missing required field Effect', statement, path);
    const effect = this.#string(member.value, `${path}.Effect`);
    if (effect !== 'Allow' && effect !== 'Deny') {
      this.#fail(`Invalid effect "${effect}": it is Allow or Deny`, member.value, `${path}.Effect`);
    }
    return effect;
  }

  #either(
    members: ReadonlyMap<string, JsonMember>,
    plain: string,
    negated: string,
    statement: JsonObject,
    path: string,
  ): JsonMember | undefined {
    const [first, second] = [members.get(plain), members.get(negated)];
    if (first !== undefined && second !== undefined) {
      this.#fail(`A statement has ${plain} or ${negated}, not both`, statement, path);
    }
    return first ?? second;
  }

  #principal(
    members: ReadonlyMap<string, JsonMember>,
    statement: JsonObject,
    path: string,
    effect: 'Allow' | 'Deny',
  ): PrincipalElement | undefined {
    const member = this.#either(members, 'Principal', 'NotPrincipal', statement, path);
    if (this.#kind === 'identity') {
      if (member !== undefined)
        this.#fail('Policy document should not specify a principal', member, `${path}.${member.key}`);
      return undefined;
    }
    if (member === undefined) this.#fail('Missing required field Principal', statement, path);
    const at = `${path}.${member.key}`;
    const negated = member.key === 'NotPrincipal';
    if (negated && (this.#kind === 'trust' || effect === 'Allow')) {
      this.#fail('NotPrincipal is for Deny statements of resource policies: name the principals instead', member, at);
    }
    if (member.value.kind === 'string')
      return { negated, entries: [this.#principalEntry('AWS', member.value, at, true)] };
    const object = this.#object(member.value, at, 'Invalid principal in policy: "*" or an object is expected');
    const entries = object.members.flatMap((kind) => {
      if (!principalKinds.has(kind.key))
        this.#fail(`Invalid principal in policy: "${kind.key}" is not a kind of principal`, kind, `${at}.${kind.key}`);
      // A module sends every kind it knows, empty where nobody is named; an element that names nobody at all is refused below.
      const nodes = kind.value.kind === 'array' ? kind.value.items : [kind.value];
      return nodes.map((node) => this.#principalEntry(kind.key, node, `${at}.${kind.key}`, false));
    });
    if (entries.length === 0) this.#fail('Invalid principal in policy: it names nobody', object, at);
    return { negated, entries };
  }

  #principalEntry(kind: string, node: JsonNode, path: string, bare: boolean): PrincipalElement['entries'][number] {
    // Account ids are often written without quotes.
    const text = node.kind === 'number' ? node.text : this.#string(node, path);
    const entry = bare && text !== '*' ? undefined : readPrincipal(kind, text);
    if (entry === undefined) this.#fail(`Invalid principal in policy: "${kind}":"${text}"`, node, path);
    return entry;
  }

  #actions(member: JsonMember, path: string): Element<string> {
    const entries = this.#strings(member.value, path).map((item) => {
      if (item.text === '*') return '*';
      const colon = item.text.indexOf(':');
      if (colon === -1) {
        this.#fail('Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.', item, item.path);
      }
      const vendor = item.text.slice(0, colon);
      if (vendor !== '*' && !/^[A-Za-z0-9-]+$/.test(vendor))
        this.#fail(`Vendor ${vendor} is not valid`, item, item.path);
      if (!/^[A-Za-z0-9*?]+$/.test(item.text.slice(colon + 1))) {
        this.#fail(`The action "${item.text}" is not valid`, item, item.path);
      }
      return item.text;
    });
    return { negated: member.key === 'NotAction', entries };
  }

  #resources(
    members: ReadonlyMap<string, JsonMember>,
    statement: JsonObject,
    path: string,
  ): Element<readonly Piece[]> | undefined {
    const member = this.#either(members, 'Resource', 'NotResource', statement, path);
    if (member === undefined) {
      if (this.#kind === 'identity') this.#fail('Policy statement must contain resources', statement, path);
      return undefined;
    }
    if (this.#kind === 'trust') this.#fail(`Has prohibited field ${member.key}`, member, `${path}.${member.key}`);
    const entries = this.#strings(member.value, `${path}.${member.key}`).map((item) => {
      const pieces = readPattern(item.text, { wildcards: true, variables: this.#variables });
      if (pieces === undefined) this.#fail(`The policy variable in "${item.text}" is not valid`, item, item.path);
      this.#checkResource(pieces, item);
      return pieces;
    });
    return { negated: member.key === 'NotResource', entries };
  }

  #checkResource(pieces: readonly Piece[], item: { text: string; start: number; path: string }): void {
    if (pieces.length === 1 && pieces[0] === anyRun) return;
    const parts = splitPattern(pieces);
    const [scheme, , service] = parts;
    const complete = parts.length === 6 || (parts.length > 3 && pieces.at(-1) === anyRun);
    if (scheme?.length !== 1 || scheme[0] !== 'arn' || !complete) {
      this.#fail(`Resource ${item.text} must be in ARN format or "*"`, item, item.path);
    }
    if (service?.length !== 1 || typeof service[0] !== 'string') {
      this.#fail(`Resource ${item.text} must name its service without wildcards`, item, item.path);
    }
    const early = parts.slice(0, 5).some((part) => part.some((piece) => typeof piece === 'object'));
    if (early) this.#fail(`Policy variables in ${item.text} are possible after the fifth colon only`, item, item.path);
  }

  #conditions(member: JsonMember, path: string): ConditionElement[] {
    const block = this.#object(member.value, path, 'Syntax errors in policy: Condition is a JSON object');
    return block.members.flatMap((operatorMember) => {
      const at = `${path}.${operatorMember.key}`;
      const form = this.#operator(operatorMember, at);
      const keys = this.#object(
        operatorMember.value,
        at,
        'Syntax errors in policy: an operator takes a JSON object of keys',
      );
      if (keys.members.length === 0) this.#fail('Syntax errors in policy: the operator names no key', keys, at);
      const seen = new Set<string>();
      return keys.members.map((keyMember) => {
        const keyPath = `${at}.${keyMember.key}`;
        if (!/^[^:\s]+:.+$/s.test(keyMember.key)) {
          this.#fail('Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.', keyMember, keyPath);
        }
        const folded = keyMember.key.toLowerCase();
        if (seen.has(folded)) this.#fail(`The condition key ${keyMember.key} is there twice`, keyMember, keyPath);
        seen.add(folded);
        return { ...form, key: keyMember.key, values: this.#values(keyMember, form.operator, keyPath) };
      });
    });
  }

  #operator(member: JsonMember, path: string): Pick<ConditionElement, 'operator' | 'quantifier' | 'ifExists'> {
    const match = /^(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?$/i.exec(member.key);
    const name = match?.[2]?.toLowerCase() ?? '';
    const isNull = name === 'null';
    if (match === null || (isNull ? match[1] !== undefined || match[3] !== undefined : !operators.has(name))) {
      this.#fail(`Invalid Condition type : ${member.key}`, member, path);
    }
    const quantifier = match[1]?.toLowerCase();
    return {
      operator: name,
      ifExists: match[3] !== undefined,
      ...(quantifier === undefined
        ? {}
        : { quantifier: quantifier === 'forallvalues' ? 'ForAllValues' : 'ForAnyValue' }),
    };
  }

  #values(member: JsonMember, operator: string, path: string): string[] {
    const nodes = member.value.kind === 'array' ? member.value.items : [member.value];
    return nodes.map((node, index) => {
      const at = member.value.kind === 'array' ? `${path}[${index}]` : path;
      if (node.kind === 'object' || node.kind === 'array' || node.kind === 'null') {
        this.#fail('Syntax errors in policy: a condition value is a string, a number or a boolean', node, at);
      }
      const known = operators.get(operator);
      const valid =
        known === undefined
          ? /^(?:true|false)$/i.test(node.text)
          : known.compile(node.text, this.#variables) !== undefined;
      if (!valid) this.#fail(`The value "${node.text}" is not one that ${member.key} can be compared with`, node, at);
      return node.text;
    });
  }
}
