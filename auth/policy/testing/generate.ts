import * as fc from 'fast-check';
import type { ReferenceCaller, ReferenceInput } from './reference.ts';

/** A small world in which patterns often hit: two accounts, a few names, each with near misses. */
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
const action = fc.constantFrom(...actions);
const resource = fc.oneof(
  fc
    .tuple(fc.constantFrom('us-east-1', 'eu-west-1'), fc.constantFrom(...accounts), fc.constantFrom(...names))
    .map(([region, account, name]) => `arn:aws:ecr:${region}:${account}:repository/${name}`),
  fc
    .tuple(fc.constantFrom(...accounts), fc.constantFrom('web:1', 'web:12', 'api:3'))
    .map(([account, task]) => `arn:aws:ecs:us-east-1:${account}:task-definition/${task}`),
  fc.constantFrom(...accounts).map((account) => `arn:aws:iam::${account}:role/path/ci`),
  fc.constant('*'),
);

const actionPattern = fc.oneof(
  { weight: 3, arbitrary: action },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
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
    ),
  },
);
const resourcePattern = fc.oneof(
  { weight: 3, arbitrary: resource },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
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
    ),
  },
);

const oneOrMore = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof(arbitrary, fc.array(arbitrary, { minLength: 1, maxLength: 3 }));

/** Operators with values they can be compared with, for the keys below. */
const stringValues = fc.constantFrom(
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
);
const arnValues = fc.constantFrom(
  `arn:aws:iam::${A}:role/path/ci`,
  'arn:aws:iam::*:role/*',
  `arn:aws:iam::${A}:user/*`,
  'arn:aws:ecs:*:*:*',
  `arn:*:*:*:${B}:*`,
  '*',
);
const numberValues = fc.constantFrom('0', '1', '10', '10.5', '-3', '1e2');
const dateValues = fc.constantFrom(
  '2026-01-01',
  '2026-06-01T12:00:00Z',
  '2027',
  '1780000000',
  '2026-06-01T14:00:00+02:00',
);
const boolValues = fc.constantFrom('true', 'false', 'True');
const ipValues = fc.constantFrom('10.0.0.0/8', '192.0.2.10', '192.0.2.0/24', '0.0.0.0/0', '10.1.2.3/31');
const families = [
  [
    [
      'StringEquals',
      'StringNotEquals',
      'StringEqualsIgnoreCase',
      'StringNotEqualsIgnoreCase',
      'StringLike',
      'StringNotLike',
    ],
    stringValues,
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
    numberValues,
  ],
  [
    ['DateEquals', 'DateNotEquals', 'DateLessThan', 'DateLessThanEquals', 'DateGreaterThan', 'DateGreaterThanEquals'],
    dateValues,
  ],
  [['Bool'], boolValues],
  [['IpAddress', 'NotIpAddress'], ipValues],
  [['ArnEquals', 'ArnNotEquals', 'ArnLike', 'ArnNotLike'], arnValues],
] as const;

const contextValue = fc.oneof(
  fc.constantFrom('bob', 'Bob', 'team-a', 'a*b', '', 'x'),
  fc.constantFrom('10', '100', '10.5', '-3'),
  fc.constantFrom('2026-01-01T00:00:00Z', '2026-06-01T12:00:00Z', '1780000000'),
  fc.constantFrom('true', 'false'),
  fc.constantFrom('10.1.2.3', '192.0.2.10', '203.0.113.1'),
  fc.constantFrom(
    `arn:aws:iam::${A}:role/path/ci`,
    `arn:aws:iam::${B}:user/x/eve`,
    `arn:aws:ecs:us-east-1:${B}:task/c/1`,
  ),
);
const keyNames = [
  'aws:username',
  'aws:PrincipalTag/team',
  'aws:ResourceTag/Team',
  'aws:TagKeys',
  'aws:SourceIp',
  'aws:x',
  'ecs:cluster',
] as const;
const key = fc.constantFrom(...keyNames, 'AWS:UserName', 'aws:resourcetag/team');

const condition = fc
  .constantFrom(...families)
  .chain(([operators, values]) =>
    fc.tuple(
      fc.constantFrom(...operators),
      fc.constantFrom('', '', 'IfExists'),
      fc.constantFrom('', '', '', 'ForAllValues:', 'ForAnyValue:'),
      key,
      oneOrMore(values as fc.Arbitrary<string>),
    ),
  )
  .map(([operator, suffix, prefix, name, wanted]) => ({ [`${prefix}${operator}${suffix}`]: { [name]: wanted } }));
const nullCondition = fc
  .tuple(key, oneOrMore(fc.constantFrom('true', 'false')))
  .map(([name, wanted]) => ({ Null: { [name]: wanted } }));
const conditions = fc
  .array(fc.oneof({ weight: 8, arbitrary: condition }, { weight: 1, arbitrary: nullCondition }), { maxLength: 2 })
  .map((blocks) => Object.assign({}, ...blocks) as Record<string, unknown>);

/** Stand-ins for what the caller of the request is, put in by {@link naming}; otherwise policies would seldom name it. */
const standIns = ['SELF', 'SELF-ID', 'ISSUER', 'ISSUER-ID', 'ACCOUNT', 'ROOT'] as const;
const principalName = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...standIns) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '*',
      A,
      B,
      `arn:aws:iam::${A}:root`,
      `arn:aws:iam::${A}:role/path/ci`,
      'AROACICICICICICICICI22',
      nobody,
    ),
  },
);

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

const principal = fc.oneof(
  fc.constant('*' as const),
  oneOrMore(principalName).map((AWS) => ({ AWS })),
  fc.constant({ Service: 'ecs-tasks.amazonaws.com' }),
  oneOrMore(principalName).map((AWS) => ({ AWS, Service: ['ec2.amazonaws.com', 'ecs-tasks.amazonaws.com'] })),
);

const effect = fc.constantFrom('Allow', 'Allow', 'Allow', 'Deny');
const negation = fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0);
const version = fc.constantFrom('2012-10-17', '2012-10-17', '2012-10-17', '2008-10-17', undefined);

type Kind = 'identity' | 'resource' | 'trust';

function statement(kind: Kind) {
  return fc
    .record({
      effect,
      actions: oneOrMore(actionPattern),
      notAction: negation,
      resources: oneOrMore(resourcePattern),
      notResource: negation,
      withResource: fc.boolean(),
      principal,
      notPrincipal: negation,
      conditions: fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, { weight: 3, arbitrary: conditions }),
    })
    .map((draft) => ({
      Effect: draft.effect,
      [draft.notAction ? 'NotAction' : 'Action']: draft.actions,
      ...(kind === 'identity' || (kind === 'resource' && draft.withResource)
        ? { [draft.notResource ? 'NotResource' : 'Resource']: draft.resources }
        : {}),
      ...(kind === 'identity'
        ? {}
        : {
            [draft.notPrincipal && draft.effect === 'Deny' && kind === 'resource' ? 'NotPrincipal' : 'Principal']:
              draft.principal,
          }),
      ...(Object.keys(draft.conditions).length === 0 ? {} : { Condition: draft.conditions }),
    }));
}

/** A valid policy document of a kind, as text. Variables stand only where they may under its version. */
export function policyText(kind: Kind): fc.Arbitrary<string> {
  return fc
    .tuple(version, fc.oneof(statement(kind), fc.array(statement(kind), { minLength: 1, maxLength: 3 })))
    .map(([Version, Statement]) => JSON.stringify(Version === undefined ? { Statement } : { Version, Statement }));
}

const context: fc.Arbitrary<ReferenceInput['context']> = fc
  .array(
    fc.tuple(
      fc.constantFrom(...keyNames),
      fc.oneof(
        { weight: 4, arbitrary: contextValue },
        { weight: 1, arbitrary: fc.array(contextValue, { maxLength: 3 }) },
      ),
    ),
    { maxLength: 6 },
  )
  .map((entries) => Object.fromEntries(entries));

/** Present `parts` times out of `parts + 2`. */
const sometimes = <T>(parts: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, { weight: parts, arbitrary });

/** A caller with policies, and a request. */
export const anyInput: fc.Arbitrary<ReferenceInput> = fc
  .record({
    caller: fc.constantFrom(...callers),
    action,
    resource,
    owner: fc.constantFrom(...accounts),
    identity: fc.array(policyText('identity'), { maxLength: 3 }),
    boundary: sometimes(1, policyText('identity')),
    session: sometimes(1, fc.array(policyText('identity'), { minLength: 1, maxLength: 2 })),
    restrictions: fc.oneof(
      { weight: 5, arbitrary: fc.constant([] as string[]) },
      { weight: 1, arbitrary: fc.array(policyText('identity'), { maxLength: 2 }) },
    ),
    resourcePolicy: sometimes(4, policyText('resource')),
    trustPolicy: sometimes(4, policyText('trust')),
    context,
  })
  .map(({ owner, trustPolicy, resourcePolicy, ...input }) => {
    const trust = input.action === 'sts:AssumeRole';
    const text = trust ? trustPolicy : resourcePolicy;
    return {
      ...input,
      trust,
      resourcePolicy: text === undefined ? undefined : naming(input.caller, text),
      resourceAccount: /^arn:[^:]*:[^:]*:[^:]*:(\d{12}):/.exec(input.resource)?.[1] ?? owner,
    };
  });
