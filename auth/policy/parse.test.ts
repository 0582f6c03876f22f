import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PolicyKind } from './document.ts';
import { MalformedPolicy } from './errors.ts';
import { lintPolicy } from './lint.ts';
import { parsePolicy, policySize } from './parse.ts';
import { policyText } from './testing/generate.ts';

const allow = (change: Record<string, unknown> = {}) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'ecr:*', Resource: '*', ...change }],
});

function problem(document: unknown, kind: PolicyKind = 'identity'): string {
  try {
    parsePolicy(typeof document === 'string' ? document : JSON.stringify(document), kind);
  } catch (error) {
    if (error instanceof MalformedPolicy) return error.message;
    throw error;
  }
  return 'no problem';
}

describe('P6 what is not a policy is refused with the place', () => {
  test.each([
    ['', /ends where a value is expected \(line 1, column 1\)/],
    ['[]', /a policy is a JSON object/],
    ['{"Statement": []}', /at least one statement \(Statement, line 1, column 15\)/],
    ['{"Statement": {}, "Statement": {}}', /duplicate key "Statement" \(line 1, column 19\)/],
    ['{"Statement": {"Effect": "Allow", "Effect": "Deny"}}', /duplicate key "Effect"/],
    ['{"Version": "2012-10-17"}', /missing required field Statement/],
    ['['.repeat(60_000), /nested too deeply/],
    ['{"a":"\u0001"}', /control character/],
    ['{"a":"\\x"}', /not an escape sequence/],
    ['{"a": 01}', /"," or "}" is expected/],
    ['{"a": 1} x', /text after the end/],
    [' '.repeat(70_000), /longer than 65536/],
  ])('%.40s', (text, message) => {
    expect(problem(text)).toMatch(message);
  });

  test.each<[Record<string, unknown>, RegExp]>([
    [{ ...allow(), Version: '2012-10-18' }, /version "2012-10-18" is not known/],
    [{ ...allow(), Id: 'x' }, /should not specify an Id/],
    [{ ...allow(), Extra: 1 }, /unknown member "Extra"/],
    [allow({ Effect: 'allow' }), /Invalid effect "allow"/],
    [allow({ Effect: undefined }), /Missing required field Effect/],
    [allow({ Sid: 'a b' }), /alpha-numeric/],
    [allow({ Principal: '*' }), /should not specify a principal/],
    [allow({ Action: 'ecr' }), /prefaced by a vendor.*Statement\[0\]\.Action/],
    [allow({ Action: ['ecr:*', 'e*r:x'] }), /Vendor e\*r is not valid \(Statement\[0\]\.Action\[1\]/],
    [allow({ Action: 'ecr:Put Image' }), /action "ecr:Put Image" is not valid/],
    [allow({ Action: [] }), /the list is empty/],
    [allow({ Action: undefined }), /must contain actions/],
    [allow({ NotAction: 'ecr:*' }), /Action or NotAction, not both/],
    [allow({ Resource: undefined }), /must contain resources/],
    [allow({ Resource: 'repository/x' }), /must be in ARN format or "\*"/],
    [allow({ Resource: 'arn:aws:ecr:us-east-1:1' }), /must be in ARN format/],
    [allow({ Resource: 'arn:aws:*:*:*:x' }), /service without wildcards/],
    [allow({ Resource: 'arn:aws:ecr:*:${aws:x}:repository/x' }), /after the fifth colon only/],
    [allow({ Resource: 'arn:aws:ecr:*:*:repository/${aws:username' }), /variable .* is not valid/],
    [allow({ Condition: { StringMaybe: { 'aws:x': 'y' } } }), /Invalid Condition type : StringMaybe/],
    [allow({ Condition: { NullIfExists: { 'aws:x': 'true' } } }), /Invalid Condition type : NullIfExists/],
    [allow({ Condition: { 'ForSomeValues:StringLike': { 'aws:x': 'y' } } }), /Invalid Condition type/],
    [allow({ Condition: { StringLike: { username: 'y' } } }), /prefaced by a vendor/],
    [allow({ Condition: { StringLike: { 'aws:x': 'y', 'AWS:X': 'z' } } }), /there twice/],
    [allow({ Condition: { StringLike: { 'aws:x': { y: 1 } } } }), /a string, a number or a boolean/],
    [allow({ Condition: { NumericLessThan: { 'aws:x': 'ten' } } }), /"ten" is not one that aws:x can be compared with/],
    [allow({ Condition: { DateLessThan: { 'aws:CurrentTime': 'tomorrow' } } }), /"tomorrow"/],
    [allow({ Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/33' } } }), /10\.0\.0\.0\/33/],
    [allow({ Condition: { Bool: { 'aws:SecureTransport': 'yes' } } }), /"yes"/],
    [allow({ Condition: { ArnLike: { 'aws:SourceArn': 'arn:aws:ecs' } } }), /"arn:aws:ecs"/],
    [allow({ Condition: { Null: { 'aws:x': 'maybe' } } }), /"maybe"/],
  ])('%j', (document, message) => {
    expect(problem(document)).toMatch(message);
  });

  test('two statements may not have one Sid, except in a resource policy, where ECR takes it', () => {
    const [statement] = allow().Statement;
    const twice = (more: object) => ({
      Statement: [
        { ...statement, ...more, Sid: 'a' },
        { ...statement, ...more, Sid: 'a' },
      ],
    });
    expect(problem(twice({}))).toMatch(/unique: "a"/);
    expect(problem(twice({ Principal: '*', Resource: undefined, Action: 'sts:AssumeRole' }), 'trust')).toMatch(
      /unique: "a"/,
    );
    expect(problem(twice({ Principal: '*' }), 'resource')).toBe('no problem');
  });
});

describe('resource and trust policies', () => {
  const grant = (principal: unknown, change: Record<string, unknown> = {}) => ({
    Statement: { Effect: 'Allow', Principal: principal, Action: 'ecr:*', ...change },
  });

  test.each([
    '*',
    { AWS: '*' },
    { AWS: '111122223333' },
    { AWS: 111122223333 },
    { AWS: ['arn:aws:iam::111122223333:root', 'arn:aws:iam::111122223333:user/a/b'] },
    { AWS: 'arn:aws:sts::111122223333:assumed-role/role/session' },
    { Service: 'ecs-tasks.amazonaws.com' },
    { Federated: 'arn:aws:iam::111122223333:oidc-provider/ci.example' },
    { AWS: 'arn:aws:iam::111122223333:root', Service: [] },
    { AWS: [], Service: ['ecs-tasks.amazonaws.com'], Federated: [] },
  ])('%j is a principal', (principal) => {
    expect(problem(grant(principal), 'resource')).toBe('no problem');
  });

  test.each([
    'arn:aws:iam::111122223333:user/bob',
    {},
    { AWS: [] },
    { AWS: [], Service: [] },
    { AWS: '111122223333', Group: [] },
    { AWS: 'arn:aws:iam::111122223333:user/*' },
    { AWS: 'arn:aws:iam::111122223333:group/devs' },
    { AWS: '11112222333' },
    { Group: 'x' },
    { Service: 'EC2' },
  ])('%j is no principal', (principal) => {
    expect(problem(grant(principal), 'resource')).toMatch(/Invalid principal in policy/);
  });

  test('P5 NotPrincipal with Allow, and in a trust policy, is refused', () => {
    const statement = { Effect: 'Allow', NotPrincipal: '*', Action: 'ecr:*' };
    expect(problem({ Statement: statement }, 'resource')).toMatch(/NotPrincipal is for Deny/);
    expect(problem({ Statement: { ...statement, Effect: 'Deny' } }, 'resource')).toBe('no problem');
    expect(problem({ Statement: { ...statement, Effect: 'Deny', Action: 'sts:*' } }, 'trust')).toMatch(/NotPrincipal/);
  });

  test('a resource policy needs a principal, a trust policy has no resource', () => {
    expect(problem(allow(), 'resource')).toMatch(/Missing required field Principal/);
    expect(problem(grant('*', { Resource: '*' }), 'trust')).toMatch(/Has prohibited field Resource/);
  });
});

test('white space does not count for the size', () => {
  expect(policySize('{ "a":\n\t"b c" }')).toBe('{"a":"bc"}'.length);
});

test('P8 ForAllValues in an Allow is warned about unless the key is required', () => {
  const condition = { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['a'] } };
  expect(lintPolicy(parsePolicy(JSON.stringify(allow({ Condition: condition })), 'identity'))).toEqual([
    expect.stringContaining('ForAllValues is also true when aws:TagKeys is missing'),
  ]);
  const guarded = { ...condition, Null: { 'aws:TagKeys': 'false' } };
  expect(lintPolicy(parsePolicy(JSON.stringify(allow({ Condition: guarded })), 'identity'))).toEqual([]);
});

describe('fuzzing', () => {
  const kinds = fc.constantFrom<PolicyKind>('identity', 'resource', 'trust');

  test('every valid document is read', () => {
    fc.assert(
      fc.property(
        kinds.chain((kind) => fc.tuple(fc.constant(kind), policyText(kind))),
        ([kind, text]) => {
          // Stand-ins for callers are no principals.
          const named = text.replaceAll(/"(?:SELF|ISSUER)(?:-ID)?"|"ACCOUNT"|"ROOT"/g, '"111111111111"');
          expect(problem(named, kind)).toBe('no problem');
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('any text is read or refused, never anything else', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"',
      '"Statement"',
      '"Effect"',
      '"Allow"',
      '"Action"',
      '\\',
      '\\u12',
      '1e',
      '-',
      'true',
      'nul',
      ' ',
      '\n',
      '\u2028',
    );
    const texts = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.array(pieces, { maxLength: 60 }).map((each) => each.join('')),
      fc.json(),
    );
    fc.assert(
      fc.property(texts, kinds, (text, kind) => {
        expect(problem(text, kind)).toEqual(expect.any(String));
      }),
      { numRuns: 5000 },
    );
  });

  test('a valid document with one character changed is read or refused, never anything else', () => {
    const damaged = fc.tuple(policyText('identity'), fc.nat(), fc.string({ maxLength: 3 })).map(([text, at, junk]) => {
      const index = at % text.length;
      return text.slice(0, index) + junk + text.slice(index + 1);
    });
    fc.assert(
      fc.property(damaged, (text) => {
        expect(problem(text)).toEqual(expect.any(String));
      }),
      { numRuns: 5000 },
    );
  });

  test('what JSON.parse reads differently is only duplicate keys, depth and lengths', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 3 }), (text) => {
        expect(problem(text)).not.toMatch(/invalid Json/);
      }),
      { numRuns: 2000 },
    );
  });
});
