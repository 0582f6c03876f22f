import * as fc from 'fast-check';
import type { ReferenceCaller, ReferenceInput } from './reference.ts';

/**
 * Policies and requests from a seed: a small world in which patterns often hit, of two accounts and a few names, each with near
 * misses. Made by hand and not of arbitraries, because a hundred thousand of them are made in every test run.
 */
const accounts = ['111111111111', '222222222222'] as const;
const A = accounts[0];
const B = accounts[1];
const nobody = `arn:aws:iam::${A}:user/nobody`;
const names = ['team-a/web', 'team-a/api', 'team-b/web', 'prod', 'production-x', 'a*b', 'bob'] as const;

const callers: readonly ReferenceCaller[] = [
  { type: 'user', account: A, arn: `arn:aws:iam::${A}:user/bob`, id: 'AIDABOBBOBBOBBOBBOB22' },
  { type: 'user', account: B, arn: `arn:aws:iam::${B}:user/x/eve`, id: 'AIDAEVEEVEEVEEVEEVE22' },
  {
    type: 'assumed-role',
    account: A,
    arn: `arn:aws:sts::${A}:assumed-role/ci/run-1`,
    id: 'AROACICICICICICICICI22:run-1',
    issuerArn: `arn:aws:iam::${A}:role/path/ci`,
    issuerId: 'AROACICICICICICICICI22',
  },
  {
    type: 'assumed-role',
    account: B,
    arn: `arn:aws:sts::${B}:assumed-role/task/0123`,
    id: 'AROATASKTASKTASKTASK22:0123',
    issuerArn: `arn:aws:iam::${B}:role/task`,
    issuerId: 'AROATASKTASKTASKTASK22',
  },
  {
    type: 'federated-user',
    account: A,
    arn: `arn:aws:sts::${A}:federated-user/bob`,
    id: `${A}:bob`,
    issuerArn: `arn:aws:iam::${A}:user/bob`,
    issuerId: 'AIDABOBBOBBOBBOBBOB22',
  },
  { type: 'root', account: A, arn: `arn:aws:iam::${A}:root`, id: A },
  { type: 'service', account: '', arn: 'ecs-tasks.amazonaws.com', id: 'ecs-tasks.amazonaws.com' },
  { type: 'anonymous', account: '', arn: '*', id: '' },
];

const actions = [
  'ecr:PutImage',
  'ecr:GetAuthorizationToken',
  'ecr:BatchGetImage',
  'ecs:RunTask',
  'iam:PassRole',
  'sts:AssumeRole',
] as const;
const actionPatterns = [
  '*',
  'ecr:*',
  'ECR:put*',
  'ecr:*Image',
  'ecr:?utImage',
  'ecs:*Task*',
  'iam:*',
  'sts:Assume*',
  '*:*',
  'ecr:B*G*t*e',
  'ec:*',
] as const;
const resourcePatterns = [
  '*',
  'arn:aws:ecr:*:*:repository/*',
  `arn:aws:ecr:us-east-1:${A}:repository/team-a/*`,
  `arn:aws:ecr:*:${A}:repository/prod*`,
  `arn:aws:ecr:us-*-1:${B}:repository/*/web`,
  'arn:aws:ecr:*',
  `arn:aws:ecr:us-east-1:*`,
  `arn:aws:ecr:us-east-?:${A}:repository/????`,
  `arn:aws:ecs:*:*:task-definition/web:*`,
  `arn:aws:ecs:us-east-1:${A}:*`,
  'arn:*:iam::*:role/*',
  'arn:aws:ecr:*:*:repository/${aws:username}',
  'arn:aws:ecr:*:*:repository/${aws:PrincipalTag/team}/*',
  "arn:aws:ecr:*:*:repository/${aws:PrincipalTag/none, 'prod'}*",
  'arn:aws:ecr:*:*:repository/a${*}b',
  `arn:aws:ecr:*:1*1:repository/*`,
  'arn:aws:ecs:*:task-definition/web:*',
  'arn:aws:ecs:us-east-1:*:1',
] as const;

/** Operators with values they can be compared with. */
const families: readonly (readonly [operators: readonly string[], values: readonly string[]])[] = [
  [
    [
      'StringEquals',
      'StringNotEquals',
      'StringEqualsIgnoreCase',
      'StringNotEqualsIgnoreCase',
      'StringLike',
      'StringNotLike',
    ],
    [
      'bob',
      'Bob',
      'team-a',
      'team-*',
      '?ob',
      '${aws:username}',
      '${aws:PrincipalTag/team}',
      "${aws:x, 'bob'}",
      'a${*}b',
      'a*b',
      '',
    ],
  ],
  [
    [
      'NumericEquals',
      'NumericNotEquals',
      'NumericLessThan',
      'NumericLessThanEquals',
      'NumericGreaterThan',
      'NumericGreaterThanEquals',
    ],
    ['0', '1', '10', '10.5', '-3', '1e2'],
  ],
  [
    ['DateEquals', 'DateNotEquals', 'DateLessThan', 'DateLessThanEquals', 'DateGreaterThan', 'DateGreaterThanEquals'],
    ['2026-01-01', '2026-06-01T12:00:00Z', '2027', '1780000000', '2026-06-01T14:00:00+02:00'],
  ],
  [['Bool'], ['true', 'false', 'True']],
  [
    ['IpAddress', 'NotIpAddress'],
    ['10.0.0.0/8', '192.0.2.10', '192.0.2.0/24', '0.0.0.0/0', '10.1.2.3/31'],
  ],
  [
    ['ArnEquals', 'ArnNotEquals', 'ArnLike', 'ArnNotLike'],
    [
      `arn:aws:iam::${A}:role/path/ci`,
      'arn:aws:iam::*:role/*',
      `arn:aws:iam::${A}:user/*`,
      'arn:aws:ecs:*:*:*',
      `arn:*:*:*:${B}:*`,
      '*',
    ],
  ],
];

/** What a request says, by kinds of value. */
const contextValues = [
  ['bob', 'Bob', 'team-a', 'a*b', '', 'x'],
  ['10', '100', '10.5', '-3'],
  ['2026-01-01T00:00:00Z', '2026-06-01T12:00:00Z', '1780000000'],
  ['true', 'false'],
  ['10.1.2.3', '192.0.2.10', '203.0.113.1'],
  [`arn:aws:iam::${A}:role/path/ci`, `arn:aws:iam::${B}:user/x/eve`, `arn:aws:ecs:us-east-1:${B}:task/c/1`],
] as const;
const keyNames = [
  'aws:username',
  'aws:PrincipalTag/team',
  'aws:ResourceTag/Team',
  'aws:TagKeys',
  'aws:SourceIp',
  'aws:x',
  'ecs:cluster',
] as const;
const conditionKeys = [...keyNames, 'AWS:UserName', 'aws:resourcetag/team'] as const;

/** Stand-ins for what the caller of the request is, put in by {@link naming}; otherwise policies would seldom name it. */
const standIns = ['SELF', 'SELF-ID', 'ISSUER', 'ISSUER-ID', 'ACCOUNT', 'ROOT'] as const;
const principalNames = [
  '*',
  A,
  B,
  `arn:aws:iam::${A}:root`,
  `arn:aws:iam::${A}:role/path/ci`,
  'AROACICICICICICICICI22',
  nobody,
] as const;

function naming(caller: ReferenceCaller, text: string): string {
  const self = caller.type === 'service' ? nobody : caller.arn;
  const selfId = /^A(?:IDA|ROA)/.test(caller.id) ? caller.id : nobody;
  const account = caller.account === '' ? A : caller.account;
  return text
    .replaceAll('"SELF"', `"${self}"`)
    .replaceAll('"SELF-ID"', `"${selfId}"`)
    .replaceAll('"ISSUER"', `"${caller.issuerArn ?? nobody}"`)
    .replaceAll('"ISSUER-ID"', `"${caller.issuerId ?? nobody}"`)
    .replaceAll('"ACCOUNT"', `"${account}"`)
    .replaceAll('"ROOT"', `"arn:aws:iam::${account}:root"`);
}

export type Kind = 'identity' | 'resource' | 'trust';

/** Policies that were made and may be used again; each meets a few requests. */
const remembered = 1500;

/** Makes policies and requests; the same ones for the same seed. */
export class Generator {
  #state: number;
  readonly #made: Record<Kind, string[]> = { identity: [], resource: [], trust: [] };

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A caller with policies, and a request. */
  input(): ReferenceInput {
    const caller = this.#pick(callers);
    const action = this.#pick(actions);
    const resource = this.#resource();
    const trust = action === 'sts:AssumeRole';
    const policies = (least: number, most: number): string[] =>
      Array.from({ length: this.#between(least, most) }, () => this.#again('identity'));
    const attached = this.#chance(2 / 3) ? this.#again(trust ? 'trust' : 'resource') : undefined;
    return {
      caller,
      action,
      resource,
      trust,
      policyDecides: trust || this.#chance(1 / 6),
      open: this.#chance(1 / 20),
      resourceAccount: /^arn:[^:]*:[^:]*:[^:]*:(\d{12}):/.exec(resource)?.[1] ?? this.#pick(accounts),
      identity: policies(0, 3),
      boundary: this.#chance(1 / 3) ? this.#again('identity') : undefined,
      session: this.#chance(1 / 3) ? policies(1, 2) : undefined,
      restrictions: this.#chance(1 / 6) ? policies(0, 2) : [],
      resourcePolicy: attached === undefined ? undefined : naming(caller, attached),
      context: this.#context(),
    };
  }

  /** A valid policy document of a kind, as text. Variables stand only where they may under its version. */
  policy(kind: Kind): string {
    const Version = this.#pick(['2012-10-17', '2012-10-17', '2012-10-17', '2008-10-17', undefined]);
    const Statement = this.#chance(0.5)
      ? this.#statement(kind)
      : Array.from({ length: this.#between(1, 3) }, () => this.#statement(kind));
    return JSON.stringify(Version === undefined ? { Statement } : { Version, Statement });
  }

  /** A policy that was made before, nine times out of ten, or a new one. */
  #again(kind: Kind): string {
    const made = this.#made[kind];
    if (made.length >= remembered / 4 && this.#chance(0.9)) return this.#pick(made);
    const policy = this.policy(kind);
    if (made.length < remembered) made.push(policy);
    else made[this.#between(0, remembered - 1)] = policy;
    return policy;
  }

  #statement(kind: Kind): object {
    const effect = this.#chance(0.75) ? 'Allow' : 'Deny';
    const resources = kind === 'identity' || (kind === 'resource' && this.#chance(0.5));
    const notPrincipal = kind === 'resource' && effect === 'Deny' && this.#chance(0.1);
    const conditions = this.#chance(0.6) ? this.#conditions() : {};
    return {
      Effect: effect,
      [this.#chance(0.1) ? 'NotAction' : 'Action']: this.#oneOrMore(() =>
        this.#chance(0.6) ? this.#pick(actions) : this.#pick(actionPatterns),
      ),
      ...(resources
        ? {
            [this.#chance(0.1) ? 'NotResource' : 'Resource']: this.#oneOrMore(() =>
              this.#chance(3 / 7) ? this.#resource() : this.#pick(resourcePatterns),
            ),
          }
        : {}),
      ...(kind === 'identity' ? {} : { [notPrincipal ? 'NotPrincipal' : 'Principal']: this.#principal() }),
      ...(Object.keys(conditions).length === 0 ? {} : { Condition: conditions }),
    };
  }

  #principal(): unknown {
    const aws = (): unknown =>
      this.#oneOrMore(() => (this.#chance(0.6) ? this.#pick(standIns) : this.#pick(principalNames)));
    switch (this.#between(0, 3)) {
      case 0:
        return '*';
      case 1:
        return { AWS: aws() };
      case 2:
        return { Service: 'ecs-tasks.amazonaws.com' };
      default:
        return { AWS: aws(), Service: ['ec2.amazonaws.com', 'ecs-tasks.amazonaws.com'] };
    }
  }

  #conditions(): Record<string, unknown> {
    const blocks: Record<string, unknown> = {};
    for (let left = this.#between(0, 2); left > 0; left--) {
      const key = this.#pick(conditionKeys);
      if (this.#chance(1 / 9)) {
        blocks['Null'] = { [key]: this.#oneOrMore(() => this.#pick(['true', 'false'])) };
        continue;
      }
      const [operators, values] = this.#pick(families);
      const prefix = this.#pick(['', '', '', 'ForAllValues:', 'ForAnyValue:']);
      const suffix = this.#pick(['', '', 'IfExists']);
      blocks[`${prefix}${this.#pick(operators)}${suffix}`] = { [key]: this.#oneOrMore(() => this.#pick(values)) };
    }
    return blocks;
  }

  #context(): ReferenceInput['context'] {
    const context: Record<string, string | readonly string[]> = {};
    const value = (): string => this.#pick(this.#pick(contextValues));
    for (let left = this.#between(0, 6); left > 0; left--) {
      context[this.#pick(keyNames)] = this.#chance(0.8)
        ? value()
        : Array.from({ length: this.#between(0, 3) }, () => value());
    }
    return context;
  }

  #resource(): string {
    switch (this.#between(0, 3)) {
      case 0:
        return `arn:aws:ecr:${this.#pick(['us-east-1', 'eu-west-1'])}:${this.#pick(accounts)}:repository/${this.#pick(names)}`;
      case 1:
        return `arn:aws:ecs:us-east-1:${this.#pick(accounts)}:task-definition/${this.#pick(['web:1', 'web:12', 'api:3'])}`;
      case 2:
        return `arn:aws:iam::${this.#pick(accounts)}:role/path/ci`;
      default:
        return '*';
    }
  }

  #oneOrMore<T>(make: () => T): T | T[] {
    return this.#chance(0.5) ? make() : Array.from({ length: this.#between(1, 3) }, make);
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#between(0, from.length - 1)] as T;
  }

  #between(least: number, most: number): number {
    return least + Math.floor(this.#next() * (most - least + 1));
  }

  #chance(part: number): boolean {
    return this.#next() < part;
  }

  /** In [0, 1): "mulberry32", 32 bits of state. */
  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}

/** A valid policy document of a kind, for properties about texts. */
export const policyText = (kind: Kind): fc.Arbitrary<string> =>
  fc.integer().map((seed) => new Generator(seed).policy(kind));

/**
 * The input without everything that its failing does not need: policies, statements, conditions and keys of the request are
 * left out one by one for as long as it still fails.
 */
export function smallest(input: ReferenceInput, fails: (input: ReferenceInput) => boolean): ReferenceInput {
  for (const smaller of reductions(input)) if (fails(smaller)) return smallest(smaller, fails);
  return input;
}

function* reductions(input: ReferenceInput): Iterable<ReferenceInput> {
  if (input.boundary !== undefined) yield { ...input, boundary: undefined };
  if (input.session !== undefined) yield { ...input, session: undefined };
  if (input.resourcePolicy !== undefined) yield { ...input, resourcePolicy: undefined };
  for (const member of ['identity', 'session', 'restrictions'] as const) {
    for (const [index, text] of (input[member] ?? []).entries()) {
      const policies = input[member] ?? [];
      yield { ...input, [member]: policies.toSpliced(index, 1) };
      for (const shorter of shorterPolicies(text)) yield { ...input, [member]: policies.with(index, shorter) };
    }
  }
  for (const member of ['boundary', 'resourcePolicy'] as const) {
    for (const shorter of shorterPolicies(input[member] ?? '{"Statement":[]}')) yield { ...input, [member]: shorter };
  }
  for (const key of Object.keys(input.context)) {
    const { [key]: _, ...context } = input.context;
    yield { ...input, context };
  }
}

/** The policy without one of its statements, or with one without its conditions. */
function* shorterPolicies(text: string): Iterable<string> {
  const policy = JSON.parse(text) as { Statement: object | readonly object[] };
  const statements = Array.isArray(policy.Statement) ? (policy.Statement as readonly object[]) : [policy.Statement];
  for (const [index, statement] of statements.entries()) {
    const shown = (Statement: readonly object[]): string => JSON.stringify({ ...policy, Statement });
    if (statements.length > 1) yield shown(statements.toSpliced(index, 1));
    const { Condition, ...rest } = statement as { Condition?: object };
    if (Condition !== undefined) yield shown(statements.with(index, rest));
  }
}
