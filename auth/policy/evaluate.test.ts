import { describe, expect, test } from 'vitest';
import { compiledPolicy } from './compile.ts';
import { contextOf } from './context.ts';
import { evaluate, type NamedPolicy, type PolicyRequest, type PrincipalPolicies } from './evaluate.ts';
import { explain } from './explain.ts';
import type { PolicyPrincipal } from './principal.ts';

const A = '111122223333';
const B = '444455556666';
const bob: PolicyPrincipal = {
  type: 'user',
  account: A,
  arn: `arn:aws:iam::${A}:user/bob`,
  id: 'AIDABOBBOBBOBBOBBOB22',
};
const ci: PolicyPrincipal = {
  type: 'assumed-role',
  account: A,
  arn: `arn:aws:sts::${A}:assumed-role/ci/run`,
  id: 'AROACICICICICICICICI22:run',
  issuer: { arn: `arn:aws:iam::${A}:role/ci`, id: 'AROACICICICICICICICI22' },
};
const repository = (name: string, account = A): string => `arn:aws:ecr:us-east-1:${account}:repository/${name}`;

type Statement = Record<string, unknown>;
const policy = (name: string, kind: 'identity' | 'resource' | 'trust', ...statements: Statement[]): NamedPolicy => ({
  name,
  policy: compiledPolicy(JSON.stringify({ Version: '2012-10-17', Statement: statements }), kind),
});
const allow = (Action: unknown, Resource: unknown = '*', more: Statement = {}) => ({
  Effect: 'Allow',
  Action,
  Resource,
  ...more,
});
const deny = (Action: unknown, Resource: unknown = '*', more: Statement = {}) => ({
  ...allow(Action, Resource, more),
  Effect: 'Deny',
});
const own = (...statements: Statement[]): PrincipalPolicies => ({
  identity: [policy('inline:own', 'identity', ...statements)],
});

function ask(
  policies: PrincipalPolicies,
  change: Partial<Omit<PolicyRequest, 'context'>> & { context?: Record<string, string | string[]> } = {},
) {
  const resource = change.resource ?? repository('web');
  return evaluate(policies, {
    principal: bob,
    action: 'ecr:PutImage',
    resource,
    resourceAccount: resource.split(':')[4] ?? A,
    resourcePolicies: [],
    ...change,
    context: contextOf(change.context ?? {}),
  });
}

const shared = (principal: unknown, more: Statement = {}): NamedPolicy =>
  policy('resource:web', 'resource', { Effect: 'Allow', Principal: principal, Action: 'ecr:*', ...more });

describe('P1 and P2: deny by default, Deny wins', () => {
  test('nothing that matches is an implicit deny that names the missing kind of policy', () => {
    expect(ask({ identity: [] })).toMatchObject({
      allowed: false,
      outcome: 'implicitDeny',
      reason: 'no identity-based policy allows the ecr:PutImage action',
    });
  });

  test('the decision names the statement that made it', () => {
    const decision = ask(own(allow('ecr:Get*'), { ...allow('ecr:Put*'), Sid: 'Push' }));
    expect(decision).toMatchObject({
      allowed: true,
      reason: 'statement Push of inline:own allows the ecr:PutImage action',
      statement: { layer: 'identity', name: 'inline:own', statement: 'Push' },
      considered: [{ layer: 'identity', name: 'inline:own' }],
    });
  });

  test.each([
    ['an identity-based policy', own(allow('*'), deny('ecr:*')), []],
    [
      'a permissions boundary',
      { ...own(allow('*')), boundary: policy('b', 'identity', allow('*'), deny('ecr:*')) },
      [],
    ],
    ['a session policy', { ...own(allow('*')), session: [policy('s', 'identity', allow('*'), deny('ecr:*'))] }, []],
    [
      'a resource-based policy',
      own(allow('*')),
      [policy('r', 'resource', { Effect: 'Deny', Principal: '*', Action: 'ecr:*' })],
    ],
    ['a token scope', { ...own(allow('*')), restrictions: [policy('t', 'identity', allow('*'), deny('ecr:*'))] }, []],
  ] as const)('a Deny in %s ends it', (where, policies, resourcePolicies) => {
    expect(ask(policies, { resourcePolicies })).toMatchObject({
      outcome: 'explicitDeny',
      reason: `an explicit deny in ${where}`,
    });
  });
});

describe('P3: boundaries and session policies', () => {
  const everything = own(allow('*'));

  test('a boundary without the action denies, and allows nothing by itself', () => {
    const boundary = policy('boundary:x', 'identity', allow('ecr:Get*'));
    expect(ask({ ...everything, boundary })).toMatchObject({
      allowed: false,
      reason: expect.stringContaining('permissions boundary'),
    });
    expect(ask({ identity: [], boundary: policy('boundary:x', 'identity', allow('*')) }).allowed).toBe(false);
  });

  test('session policies narrow, several add up, none of them widens', () => {
    const session = [
      policy('session', 'identity', allow('ecr:Get*')),
      policy('session:x', 'identity', allow('ecr:Put*')),
    ];
    expect(ask({ ...everything, session }).allowed).toBe(true);
    expect(ask({ ...everything, session: session.slice(0, 1) })).toMatchObject({
      reason: expect.stringContaining('session policy'),
    });
    expect(ask({ identity: [], session }).allowed).toBe(false);
  });

  test('a resource policy that names the session itself is not limited by boundary and session policy; one that names the role is', () => {
    const limited = {
      identity: [],
      boundary: policy('b', 'identity', allow('iam:*')),
      session: [policy('s', 'identity', allow('iam:*'))],
    };
    expect(ask(limited, { principal: ci, resourcePolicies: [shared({ AWS: ci.arn })] }).allowed).toBe(true);
    expect(ask(limited, { principal: ci, resourcePolicies: [shared({ AWS: ci.id })] }).allowed).toBe(true);
    expect(ask(limited, { principal: ci, resourcePolicies: [shared({ AWS: ci.issuer?.arn })] }).allowed).toBe(false);
    expect(ask({ identity: [] }, { principal: ci, resourcePolicies: [shared({ AWS: ci.issuer?.arn })] }).allowed).toBe(
      true,
    );
  });

  test('a token scope limits also what a resource policy gives', () => {
    const restrictions = [policy('t', 'identity', allow('ecr:Get*'))];
    expect(ask({ identity: [], restrictions }, { resourcePolicies: [shared({ AWS: bob.arn })] }).allowed).toBe(false);
  });
});

describe('P4: accounts', () => {
  const theirs = repository('web', B);

  test('within one account either side suffices; naming the account only delegates', () => {
    expect(ask(own(allow('ecr:*'))).allowed).toBe(true);
    expect(ask({ identity: [] }, { resourcePolicies: [shared({ AWS: bob.arn })] }).allowed).toBe(true);
    expect(ask({ identity: [] }, { resourcePolicies: [shared({ AWS: A })] }).allowed).toBe(false);
    expect(ask({ identity: [] }, { resourcePolicies: [shared('*')] }).allowed).toBe(true);
  });

  test('across accounts both sides must allow', () => {
    expect(ask(own(allow('ecr:*')), { resource: theirs })).toMatchObject({
      allowed: false,
      reason: 'no resource-based policy allows the ecr:PutImage action',
    });
    expect(ask({ identity: [] }, { resource: theirs, resourcePolicies: [shared({ AWS: bob.arn })] }).allowed).toBe(
      false,
    );
    expect(ask(own(allow('ecr:*')), { resource: theirs, resourcePolicies: [shared({ AWS: A })] }).allowed).toBe(true);
    const boundary = policy('b', 'identity', allow('iam:*'));
    expect(
      ask({ ...own(allow('ecr:*')), boundary }, { resource: theirs, resourcePolicies: [shared({ AWS: A })] }).allowed,
    ).toBe(false);
  });

  test('no policy allows strangers anything: `*` means whoever is logged in; what a resource opens it opens to everybody', () => {
    const principal: PolicyPrincipal = { type: 'anonymous', account: '', arn: '*', id: '' };
    for (const named of ['*', { AWS: '*' }, { AWS: [A, '*'] }, { AWS: A }]) {
      const refused = ask({ identity: [] }, { principal, resourcePolicies: [shared(named)] });
      expect([named, refused.allowed]).toEqual([named, false]);
    }
    expect(ask({ identity: [] }, { principal }).allowed).toBe(false);
    expect(ask({ identity: [] }, { resourcePolicies: [shared('*')] }).allowed).toBe(true);

    expect(ask({ identity: [] }, { principal, open: true }).allowed).toBe(true);
    expect(ask({ identity: [] }, { open: true, resource: theirs }).allowed).toBe(true);
    for (const named of ['*', { AWS: '*' }]) {
      const denied = policy('r', 'resource', { Effect: 'Deny', Principal: named, Action: 'ecr:*' });
      expect(ask({ identity: [] }, { principal, open: true, resourcePolicies: [denied] }).outcome).toBe('explicitDeny');
    }
    const scope = policy('token scope', 'identity', allow('ecr:GetAuthorizationToken'));
    expect(ask({ identity: [], restrictions: [scope] }, { principal, open: true }).allowed).toBe(false);
  });

  test('the root user may do everything in its account that no policy denies', () => {
    const principal: PolicyPrincipal = { type: 'root', account: A, arn: `arn:aws:iam::${A}:root`, id: A };
    expect(ask({ identity: [] }, { principal }).allowed).toBe(true);
    expect(ask({ identity: [] }, { principal, resource: theirs }).allowed).toBe(false);
    const denied = policy('r', 'resource', { Effect: 'Deny', Principal: { AWS: A }, Action: '*' });
    expect(ask({ identity: [] }, { principal, resourcePolicies: [denied] }).outcome).toBe('explicitDeny');
  });
});

describe('policies of keys', () => {
  const key = `arn:aws:kms:us-east-1:${A}:key/one`;
  const everything = own(allow('*'));
  const root: PolicyPrincipal = { type: 'root', account: A, arn: `arn:aws:iam::${A}:root`, id: A };
  const keyAsk = (policies: PrincipalPolicies, principal: PolicyPrincipal, named: unknown, more: Statement = {}) =>
    ask(policies, {
      principal,
      action: 'kms:Decrypt',
      resource: key,
      policyDecides: true,
      resourcePolicies: [
        policy('resource:key', 'resource', { ...allow('kms:Decrypt', '*', more), Principal: { AWS: named } }),
      ],
    }).allowed;

  test('without a word of theirs nobody may do anything, the root user included', () => {
    const other = `arn:aws:iam::${A}:user/ada`;
    expect([keyAsk(everything, bob, other), keyAsk(everything, root, other)]).toEqual([false, false]);
  });

  test('who is named may; where the account is named, its own policies decide', () => {
    const nothing = own(allow('ecr:PutImage'));
    expect([keyAsk(nothing, bob, bob.arn), keyAsk(nothing, root, root.arn)]).toEqual([true, true]);
    expect([keyAsk(nothing, bob, root.arn), keyAsk(everything, bob, root.arn)]).toEqual([false, true]);
    const abroad: PolicyPrincipal = { ...bob, account: B, arn: `arn:aws:iam::${B}:user/bob` };
    expect([keyAsk(everything, abroad, abroad.arn), keyAsk(nothing, abroad, abroad.arn)]).toEqual([true, false]);
  });

  test('a condition that does not hold allows nothing', () => {
    const Condition = { StringEquals: { 'kms:ViaService': 'ssm.us-east-1.amazonaws.com' } };
    expect(keyAsk(everything, bob, root.arn, { Condition })).toBe(false);
  });
});

describe('trust policies', () => {
  const role = `arn:aws:iam::${A}:role/deploy`;
  const assume = (principal: unknown, policies: PrincipalPolicies = { identity: [] }) =>
    ask(policies, {
      action: 'sts:AssumeRole',
      resource: role,
      trust: true,
      resourcePolicies: [
        policy('resource:role', 'trust', { Effect: 'Allow', Principal: principal, Action: 'sts:AssumeRole' }),
      ],
    });

  test('naming the user suffices, naming the account needs the caller to be allowed too', () => {
    expect(assume({ AWS: bob.id }).allowed).toBe(true);
    expect(assume({ AWS: A }).allowed).toBe(false);
    expect(assume({ AWS: A }, own(allow('sts:AssumeRole', role))).allowed).toBe(true);
  });

  test('without the trust policy nothing helps, not even being the administrator', () => {
    expect(assume({ AWS: B }, own(allow('*')))).toMatchObject({
      allowed: false,
      reason: 'no role trust policy allows the sts:AssumeRole action',
    });
  });

  test('a re-created user of the same name is somebody else', () => {
    const principal = { ...bob, id: 'AIDANEWNEWNEWNEWNEW22' };
    const trust = policy('r', 'trust', { Effect: 'Allow', Principal: { AWS: bob.id }, Action: 'sts:AssumeRole' });
    expect(
      ask(
        { identity: [] },
        { principal, action: 'sts:AssumeRole', resource: role, trust: true, resourcePolicies: [trust] },
      ).allowed,
    ).toBe(false);
  });
});

describe('P5: the negated elements', () => {
  test('NotAction and NotResource are everything else', () => {
    expect(ask(own({ Effect: 'Allow', NotAction: 'iam:*', Resource: '*' })).allowed).toBe(true);
    expect(ask(own({ Effect: 'Allow', NotAction: 'ecr:*', Resource: '*' })).allowed).toBe(false);
    expect(ask(own({ Effect: 'Allow', Action: '*', NotResource: repository('web') })).allowed).toBe(false);
    expect(ask(own({ Effect: 'Allow', Action: '*', NotResource: repository('api') })).allowed).toBe(true);
    expect(ask(own(allow('*'), { Effect: 'Deny', NotAction: 'ecr:Put*', Resource: '*' })).allowed).toBe(true);
    expect(ask(own(allow('*'), { Effect: 'Deny', Action: '*', NotResource: repository('api') })).outcome).toBe(
      'explicitDeny',
    );
  });

  test('NotPrincipal with Deny spares who is listed with the account, role and session', () => {
    const denyOthers = (AWS: unknown) => [
      policy('r', 'resource', { Effect: 'Deny', NotPrincipal: { AWS }, Action: '*' }),
    ];
    const asked = (AWS: unknown, principal = ci) =>
      ask(own(allow('*')), { principal, resourcePolicies: denyOthers(AWS) }).allowed;
    expect(asked([A, `arn:aws:iam::${A}:role/ci`, ci.arn])).toBe(true);
    expect(asked([`arn:aws:iam::${A}:role/ci`, ci.arn])).toBe(false);
    expect(asked([A, ci.arn])).toBe(false);
    expect(asked([A, bob.arn], bob)).toBe(true);
    expect(asked([A], bob)).toBe(false);
  });
});

describe('P8: keys that are missing', () => {
  const when = (condition: Statement, context: Record<string, string | string[]> = {}) =>
    ask(own(allow('*', '*', { Condition: condition })), { context }).allowed;

  test.each<[Statement, boolean]>([
    [{ StringEquals: { 'aws:x': 'y' } }, false],
    [{ StringNotEquals: { 'aws:x': 'y' } }, true],
    [{ StringNotLike: { 'aws:x': 'y*' } }, true],
    [{ StringEqualsIfExists: { 'aws:x': 'y' } }, true],
    [{ NumericLessThan: { 'aws:x': 5 } }, false],
    [{ NotIpAddress: { 'aws:x': '10.0.0.0/8' } }, true],
    [{ ArnNotLike: { 'aws:x': 'arn:aws:ecs:*:*:*' } }, true],
    [{ Bool: { 'aws:x': true } }, false],
    [{ Null: { 'aws:x': 'true' } }, true],
    [{ Null: { 'aws:x': 'false' } }, false],
    [{ 'ForAllValues:StringEquals': { 'aws:x': 'y' } }, true],
    [{ 'ForAnyValue:StringEquals': { 'aws:x': 'y' } }, false],
    [{ 'ForAnyValue:StringNotEquals': { 'aws:x': 'y' } }, false],
    [{ 'ForAnyValue:StringEqualsIfExists': { 'aws:x': 'y' } }, true],
  ])('%j', (condition, expected) => {
    expect(when(condition)).toBe(expected);
    // A key without values is a missing key.
    expect(when(condition, { 'aws:x': [] })).toBe(expected);
  });

  test('several values are OR-ed, for negated operators none may match', () => {
    expect(when({ StringEquals: { 'aws:x': ['a', 'b'] } }, { 'aws:x': 'b' })).toBe(true);
    expect(when({ StringNotEquals: { 'aws:x': ['a', 'b'] } }, { 'aws:x': 'b' })).toBe(false);
    expect(when({ StringNotEquals: { 'aws:x': ['a', 'b'] } }, { 'aws:x': 'c' })).toBe(true);
  });

  test('keys and operators are AND-ed', () => {
    const both = { StringEquals: { 'aws:x': 'a', 'aws:y': 'b' }, Bool: { 'aws:z': 'true' } };
    expect(when(both, { 'aws:x': 'a', 'aws:y': 'b', 'aws:z': 'true' })).toBe(true);
    expect(when(both, { 'aws:x': 'a', 'aws:y': 'c', 'aws:z': 'true' })).toBe(false);
    expect(when(both, { 'aws:x': 'a', 'aws:y': 'b', 'aws:z': 'false' })).toBe(false);
  });

  test('ForAllValues wants every value of the request, ForAnyValue one', () => {
    const tags = { 'aws:TagKeys': ['env', 'team'] };
    expect(when({ 'ForAllValues:StringEquals': { 'aws:TagKeys': ['env', 'team', 'x'] } }, tags)).toBe(true);
    expect(when({ 'ForAllValues:StringEquals': { 'aws:TagKeys': ['env'] } }, tags)).toBe(false);
    expect(when({ 'ForAnyValue:StringEquals': { 'aws:TagKeys': ['env'] } }, tags)).toBe(true);
    expect(when({ 'ForAnyValue:StringEquals': { 'aws:TagKeys': ['x'] } }, tags)).toBe(false);
  });

  test('key names, tag keys included, are compared without regard to case', () => {
    expect(when({ StringEquals: { 'AWS:resourcetag/TEAM': 'a' } }, { 'aws:ResourceTag/team': 'a' })).toBe(true);
  });

  test.each<[Statement, string, boolean]>([
    [{ DateLessThan: { 'aws:CurrentTime': '2026-06-01T12:00:01Z' } }, '2026-06-01T12:00:00Z', true],
    [{ DateLessThan: { 'aws:CurrentTime': '2026-06-01T14:00:00+02:00' } }, '2026-06-01T12:00:00Z', false],
    [{ DateGreaterThanEquals: { 'aws:CurrentTime': '2026-06-01' } }, '2026-06-01T00:00:00Z', true],
    [{ DateGreaterThan: { 'aws:CurrentTime': '1780315199' } }, '2026-06-01T12:00:00Z', true],
    [{ IpAddress: { 'aws:CurrentTime': '192.0.2.0/24' } }, '192.0.2.99', true],
    [{ IpAddress: { 'aws:CurrentTime': '192.0.2.1' } }, '192.0.2.2', false],
    [{ IpAddress: { 'aws:CurrentTime': '2001:db8::/32' } }, '2001:db8:1::1', true],
    [{ IpAddress: { 'aws:CurrentTime': '192.0.2.0/24' } }, '::ffff:192.0.2.1', true],
    [{ BinaryEquals: { 'aws:CurrentTime': 'QmluYXJ5' } }, 'QmluYXJ5', true],
    [{ NumericGreaterThan: { 'aws:CurrentTime': '1e1' } }, '10.5', true],
    [{ NumericEquals: { 'aws:CurrentTime': '10' } }, 'ten', false],
    [{ StringEqualsIgnoreCase: { 'aws:CurrentTime': 'ABC' } }, 'abc', true],
    [{ ArnEquals: { 'aws:CurrentTime': 'arn:aws:ecs:*:*:task/*' } }, 'arn:aws:ecs:r:1:task/c/1', true],
  ])('%j with %s is %s', (condition, value, expected) => {
    expect(when(condition, { 'aws:CurrentTime': value })).toBe(expected);
  });
});

describe('P10: actions', () => {
  test.each([
    ['ecr:putimage', true],
    ['ECR:Put*', true],
    ['ecr:Put?mage', true],
    ['*:PutImage', true],
    ['ecr-public:PutImage', false],
    ['ecrx:*', false],
    ['ec:*', false],
  ])('%s', (pattern, expected) => {
    expect(ask(own(allow(pattern))).allowed).toBe(expected);
  });
});

describe('P11: policy variables', () => {
  const mine = allow('ecr:*', 'arn:aws:ecr:*:*:repository/${aws:username}');

  test('a variable without a value matches nothing; a default stands in', () => {
    expect(ask(own(mine), { resource: repository('bob'), context: { 'aws:username': 'bob' } }).allowed).toBe(true);
    expect(ask(own(mine), { resource: repository('bob') }).allowed).toBe(false);
    expect(ask(own(mine), { resource: repository('${aws:username}') }).allowed).toBe(false);
    const fallback = allow('ecr:*', "arn:aws:ecr:*:*:repository/${aws:username, 'web'}");
    expect(ask(own(fallback)).allowed).toBe(true);
  });

  test('keys with several values have no value here', () => {
    expect(ask(own(mine), { resource: repository('bob'), context: { 'aws:username': ['bob'] } }).allowed).toBe(false);
  });

  test('before version 2012-10-17 they are ordinary text', () => {
    const old = compiledPolicy(JSON.stringify({ Version: '2008-10-17', Statement: mine }), 'identity');
    const policies = { identity: [{ name: 'old', policy: old }] };
    expect(ask(policies, { resource: repository('bob'), context: { 'aws:username': 'bob' } }).allowed).toBe(false);
    expect(ask(policies, { resource: repository('${aws:username}') }).allowed).toBe(true);
  });

  test('in conditions, a missing value does not match, and so a negated operator is true', () => {
    const condition = (operator: string) =>
      own(allow('*', '*', { Condition: { [operator]: { 'aws:x': '${aws:username}' } } }));
    expect(ask(condition('StringEquals'), { context: { 'aws:x': 'a' } }).allowed).toBe(false);
    expect(ask(condition('StringNotEquals'), { context: { 'aws:x': 'a' } }).allowed).toBe(true);
  });

  test('NotResource with a variable without value refuses: it never grants, and denies everything', () => {
    const notMine = { Action: '*', NotResource: 'arn:aws:ecr:*:*:repository/${aws:username}' };
    expect(ask(own({ Effect: 'Allow', ...notMine })).allowed).toBe(false);
    expect(ask(own(allow('*'), { Effect: 'Deny', ...notMine })).allowed).toBe(false);
  });
});

test('an explanation says of every statement whether it matched and why not', () => {
  const policies = own(
    { ...allow('ecr:Get*'), Sid: 'Reads' },
    { ...allow('ecr:*', repository('api')), Sid: 'Api' },
    { ...allow('ecr:*', '*', { Condition: { StringEquals: { 'aws:PrincipalTag/team': 'a' } } }), Sid: 'Team' },
  );
  const { decision, findings, missingKeys } = explain(policies, {
    principal: bob,
    action: 'ecr:PutImage',
    resource: repository('web'),
    resourceAccount: A,
    resourcePolicies: [],
    context: contextOf({}),
  });
  expect(decision.outcome).toBe('implicitDeny');
  expect(findings.map(({ statement, because }) => `${statement}: ${because}`)).toEqual([
    'Reads: it is not about the action ecr:PutImage',
    `Api: it is not about the resource ${repository('web')}`,
    'Team: its condition on aws:PrincipalTag/team does not hold: the key is not in the request, the policy says StringEquals "a"',
  ]);
  expect(findings.map(({ missed }) => missed)).toEqual(['action', 'resource', 'condition']);
  expect(missingKeys).toEqual(['aws:PrincipalTag/team']);
});
