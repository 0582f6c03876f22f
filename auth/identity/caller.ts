import type { Principal } from '../contract/index.ts';
import { compiledPolicy, type NamedPolicy, type PolicyPrincipal, type PrincipalPolicies } from '../policy/index.ts';
import { roleArn, rootArn, sessionArn, userArn } from './arns.ts';
import type { GroupEntity, RoleEntity, SessionEntity, UserEntity } from './entities.ts';
import { keys } from './keys.ts';
import { policyDocument } from './managed-policies.ts';
import type { Mirror } from './mirror.ts';

/** Everything about a caller that decisions need, gathered once and kept until something changes. */
export interface Caller {
  readonly principal: PolicyPrincipal;
  readonly policies: PrincipalPolicies;
  /** Condition keys that stay the same for all of the caller's requests, lower case. */
  readonly keys: ReadonlyMap<string, string>;
}

/** A caller whose credentials or identity are no longer good, and why. */
export interface Disowned {
  readonly disowned: string;
}

/** What a managed policy's ARN stands for now; a policy that is gone grants nothing. */
function managed(mirror: Mirror, arn: string, name = arn): NamedPolicy | undefined {
  const text = policyDocument(mirror, arn);
  return text === undefined ? undefined : { name, policy: compiledPolicy(text, 'identity') };
}

/** Managed and inline policies of one user, group or role. @param label stands before the names of inline policies */
export function policiesOf(mirror: Mirror, entity: UserEntity | GroupEntity | RoleEntity, label = ''): NamedPolicy[] {
  const attached = entity.attached.flatMap((arn) => managed(mirror, arn) ?? []);
  const inline = Object.entries(entity.inline).map(([name, text]) => ({
    name: `inline:${label}${name}`,
    policy: compiledPolicy(text, 'identity'),
  }));
  return [...attached, ...inline];
}

/** A boundary that names a policy that is gone allows nothing, as an empty one would. */
export function boundaryOf(mirror: Mirror, arn: string | undefined): { boundary: NamedPolicy } | Record<string, never> {
  if (arn === undefined) return {};
  const nothing = compiledPolicy('{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}', 'identity');
  return { boundary: managed(mirror, arn, `boundary:${arn}`) ?? { name: `boundary:${arn}`, policy: nothing } };
}

function sessionPolicies(mirror: Mirror, session: SessionEntity): { session: NamedPolicy[] } | Record<string, never> {
  if (session.policies === undefined) return {};
  const { inline, managed: arns } = session.policies;
  const own = inline === undefined ? [] : [{ name: 'session', policy: compiledPolicy(inline, 'identity') }];
  return { session: [...own, ...arns.flatMap((arn) => managed(mirror, arn, `session:${arn}`) ?? [])] };
}

function tagKeys(tags: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(tags).map(([key, value]) => [`aws:principaltag/${key.toLowerCase()}`, value]);
}

/** What requests with temporary credentials carry, those of the console too; there are no MFA devices. @param issued when they began */
const temporaryKeys = (issued: number): [string, string][] => [
  ['aws:tokenissuetime', new Date(issued).toISOString()],
  ['aws:multifactorauthpresent', 'false'],
];

function sessionKeys(session: SessionEntity): [string, string][] {
  return [
    ...temporaryKeys(session.issued),
    ...tagKeys(session.tags),
    ...(session.sourceIdentity === undefined
      ? []
      : [['aws:sourceidentity', session.sourceIdentity] as [string, string]]),
    ...(session.federatedProvider === undefined
      ? []
      : [['aws:federatedprovider', session.federatedProvider] as [string, string]]),
  ];
}

const limit = (name: string, statements: readonly object[]): NamedPolicy => ({
  name,
  policy: compiledPolicy(
    JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }, ...statements],
    }),
    'identity',
  ),
});

/** Every IAM operation; `iam:PassRole` is none. */
const iamOperations = [
  'Add',
  'Attach',
  'Change',
  'Create',
  'Deactivate',
  'Delete',
  'Detach',
  'Enable',
  'Generate',
  'Get',
  'List',
  'Put',
  'Remove',
  'Reset',
  'Resync',
  'Set',
  'Simulate',
  'Tag',
  'Untag',
  'Update',
  'Upload',
].map((verb) => `iam:${verb}*`);

/**
 * What sessions of users cannot do, whatever their policies say (IAM user guide, "Compare AWS STS credentials"): call IAM, and of
 * STS anything but AssumeRole (GetSessionToken only) and GetCallerIdentity.
 */
const userSessionLimits = [
  limit('GetSessionToken credentials', [
    { Effect: 'Deny', Action: iamOperations, Resource: '*' },
    { Effect: 'Deny', Action: ['sts:Get*', 'sts:DecodeAuthorizationMessage'], Resource: '*' },
  ]),
];
const federatedLimits = [
  limit('GetFederationToken credentials', [{ Effect: 'Deny', Action: [...iamOperations, 'sts:*'], Resource: '*' }]),
];

function callerOfUser(mirror: Mirror, principal: Principal, session: SessionEntity | undefined): Caller | Disowned {
  const user = mirror.byId(principal.id);
  if (user?.kind !== 'user') return { disowned: 'the user does not exist any more' };
  if (principal.accessKeyId?.startsWith('AKIA') === true) {
    const key = mirror.get(keys.accessKey(principal.accessKeyId));
    if (key?.status !== 'Active' || key.userId !== user.id)
      return { disowned: 'the access key is not active any more' };
  }
  const signedIn = principal.console;
  const passwordSet = mirror.get(keys.loginProfile(user.id))?.changed ?? Infinity;
  // What is known may be older than the session by a moment; no later password has an earlier time.
  if (signedIn !== undefined && passwordSet > signedIn.passwordSet)
    return { disowned: 'the password that the session was begun with was changed or taken away' };
  const arn = userArn(principal.account, user);
  return {
    principal: { type: 'user', account: principal.account, arn, id: user.id },
    policies: {
      identity: identityOfUser(mirror, user),
      ...boundaryOf(mirror, user.boundary),
      ...(session === undefined ? {} : { restrictions: userSessionLimits }),
    },
    keys: new Map([
      ...common(principal.account, 'User', arn, user.id),
      ['aws:username', user.name],
      ...tagKeys(user.tags),
      ...(session === undefined ? [] : sessionKeys(session)),
      ...(signedIn === undefined ? [] : temporaryKeys(signedIn.since)),
    ]),
  };
}

/** A user's own policies and those of the user's groups. */
function identityOfUser(mirror: Mirror, user: UserEntity): NamedPolicy[] {
  const groups = user.groups.flatMap((name) => mirror.get(keys.group(name)) ?? []);
  return [...policiesOf(mirror, user), ...groups.flatMap((group) => policiesOf(mirror, group, `${group.name}/`))];
}

function callerOfRole(mirror: Mirror, account: string, session: SessionEntity): Caller | Disowned {
  const role = mirror.byId(session.issuerId);
  if (role?.kind !== 'role') return { disowned: 'the role of this session does not exist any more' };
  const arn = roleArn(account, role);
  return {
    principal: {
      type: 'assumed-role',
      account,
      arn: session.arn,
      id: session.principalId,
      issuer: { arn, id: role.id },
    },
    policies: {
      identity: policiesOf(mirror, role),
      ...boundaryOf(mirror, role.boundary),
      ...sessionPolicies(mirror, session),
    },
    // Tags of the session override those of the role.
    keys: new Map([
      ...common(account, 'AssumedRole', arn, session.principalId),
      ...tagKeys(role.tags),
      ...sessionKeys(session),
    ]),
  };
}

/** A session of a role without session policies or tags of its own: for what outlives sessions. */
export function callerOfRoleAlone(mirror: Mirror, account: string, role: RoleEntity, session: string): Caller {
  const arn = roleArn(account, role);
  const id = `${role.id}:${session}`;
  return {
    principal: {
      type: 'assumed-role',
      account,
      arn: sessionArn(account, role.name, session),
      id,
      issuer: { arn, id: role.id },
    },
    policies: { identity: policiesOf(mirror, role), ...boundaryOf(mirror, role.boundary) },
    keys: new Map([...common(account, 'AssumedRole', arn, id), ...tagKeys(role.tags)]),
  };
}

/** Whoever made something that acts in the name of a role: what the role may do now. */
function callerOfDelegate(mirror: Mirror, { account, id }: Principal): Caller | Disowned {
  const [roleId = '', session = ''] = id.split(':');
  const role = mirror.byId(roleId);
  return role?.kind === 'role'
    ? callerOfRoleAlone(mirror, account, role, session)
    : { disowned: 'the role does not exist any more' };
}

function callerOfFederated(mirror: Mirror, account: string, session: SessionEntity): Caller | Disowned {
  const user = mirror.byId(session.issuerId);
  if (user?.kind !== 'user') return { disowned: 'the user of this session does not exist any more' };
  return {
    principal: {
      type: 'federated-user',
      account,
      arn: session.arn,
      id: session.principalId,
      issuer: { arn: userArn(account, user), id: user.id },
    },
    policies: {
      identity: identityOfUser(mirror, user),
      ...boundaryOf(mirror, user.boundary),
      ...sessionPolicies(mirror, session),
      restrictions: federatedLimits,
    },
    keys: new Map([...common(account, 'FederatedUser', session.arn, session.principalId), ...sessionKeys(session)]),
  };
}

function common(account: string, type: string, arn: string, userId: string): [string, string][] {
  return [
    ['aws:principalaccount', account],
    ['aws:principaltype', type],
    ['aws:principalarn', arn],
    ['aws:userid', userId],
    ['aws:principalisawsservice', 'false'],
    ['aws:viaawsservice', 'false'],
  ];
}

/** The keys of a caller without an identity. */
const anonymousKeys = new Map([
  ['aws:principaltype', 'Anonymous'],
  ['aws:principalisawsservice', 'false'],
  ['aws:viaawsservice', 'false'],
]);

/**
 * Gathers what decisions about a principal need. Identities are found by their unique ids, so a principal whose user or role was
 * deleted is nobody, also when another has its name now.
 * @param session the session behind temporary credentials; sessions without their record are disowned
 */
export function gatherCaller(
  mirror: Mirror | undefined,
  principal: Principal,
  session: SessionEntity | undefined,
): Caller | Disowned {
  if (principal.type === 'anonymous') {
    return {
      principal: { type: 'anonymous', account: '', arn: '*', id: '' },
      policies: { identity: [] },
      keys: anonymousKeys,
    };
  }
  if (mirror === undefined) return { disowned: 'the account does not exist' };
  const { account } = principal;
  switch (principal.type) {
    case 'root': {
      const arn = rootArn(account);
      return {
        principal: { type: 'root', account, arn, id: account },
        policies: { identity: [] },
        keys: new Map(common(account, 'Account', arn, account)),
      };
    }
    case 'user':
      if (principal.accessKeyId?.startsWith('ASIA') === true && session === undefined) return ended;
      return callerOfUser(mirror, principal, session);
    case 'assumed-role':
      if (principal.delegated === true) return callerOfDelegate(mirror, principal);
      return session?.kind === 'role-session' ? callerOfRole(mirror, account, session) : ended;
    case 'federated-user':
      return session?.kind === 'federated-session' ? callerOfFederated(mirror, account, session) : ended;
  }
}

const ended: Disowned = { disowned: 'the session has ended or was revoked' };
